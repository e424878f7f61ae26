// Programs, models, training: compiled once for all test programs, which see declarations.
#define MOECNN_HOLDS_TRAINING
#include "moecnn/train/trainer.hpp"
