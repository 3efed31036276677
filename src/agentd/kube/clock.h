/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - how a thousand nodes do not do it at the same time. */
#pragma once

#include <stdint.h>

/* 0 to bound, both included. */
uint64_t kube_random(uint64_t bound);
