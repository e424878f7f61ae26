#pragma once
/// \file
/// Everything for building, training and storing networks, except the backend; include the one you want as well:
/// moecnn/backend/default.hpp, moecnn/backend/onednn.hpp or moecnn/backend/reference.hpp. Apart, since most programs do
/// without: the networks of moecnn/zoo/, the pages of moecnn/report/, and data for segmentation,
/// moecnn/data/segmentation_loader.hpp and its neighbours.

#include "moecnn/analysis/predictions.hpp"
#include "moecnn/analysis/specialisation.hpp"
#include "moecnn/data/cifar100.hpp"
#include "moecnn/data/loader.hpp"
#include "moecnn/data/synthetic.hpp"
#include "moecnn/io/safetensors.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/layer/prelu.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/expert.hpp"
#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/moe/patch_moe.hpp"
#include "moecnn/moe/res_block_moe.hpp"
#include "moecnn/moe/stats.hpp"
#include "moecnn/train/trainer.hpp"
#include "moecnn/version.hpp"
