#pragma once
/// \file
/// All kernels that CPU backends share.

#include "moecnn/backend/host/activation.hpp"
#include "moecnn/backend/host/arithmetic.hpp"
#include "moecnn/backend/host/avg_pool.hpp"
#include "moecnn/backend/host/cast.hpp"
#include "moecnn/backend/host/channels.hpp"
#include "moecnn/backend/host/detection_loss.hpp"
#include "moecnn/backend/host/norm.hpp"
#include "moecnn/backend/host/patch.hpp"
#include "moecnn/backend/host/pool.hpp"
#include "moecnn/backend/host/random.hpp"
#include "moecnn/backend/host/resize.hpp"
#include "moecnn/backend/host/route.hpp"
#include "moecnn/backend/host/sources.hpp"
