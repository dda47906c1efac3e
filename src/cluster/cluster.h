/*
 * cluster/cluster.h: the hosts of one network: who is there.
 */
#pragma once
#include "cluster/record.h"
