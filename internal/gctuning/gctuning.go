// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package gctuning configures the garbage collector of the binary, so that its CPU time is
// what the documentation states, and a memory limit is met by more collections instead of
// refused data or a kill. GOGC and GOMEMLIMIT in the environment have precedence.
package gctuning

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
)

const (
	// Percent is GOGC without one in the environment. More saves hardly any CPU time, and
	// costs memory (docs/tuning.md).
	Percent = 200
	// cgroupShare is the share of a cgroup's limit that the heap may grow to. The rest is for
	// what the runtime does not count, such as mapped files and the kernel's buffers.
	cgroupShare = 0.9
	// spikeShare is the default of memory_limiter for its spike limit.
	spikeShare = 0.2
	mebibyte   = 1 << 20
)

// Apply sets GOGC, and GOMEMLIMIT by the cgroup. With every configuration that the Collector
// loads, GOMEMLIMIT is set anew, also by its memory_limiter processors.
func Apply(set *otelcol.CollectorSettings) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(Percent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	total := cgroupLimit()
	debug.SetMemoryLimit(Limit(nil, total))
	resolver := &set.ConfigProviderSettings.ResolverSettings
	resolver.ConverterFactories = append(resolver.ConverterFactories, confmap.NewConverterFactory(func(set confmap.ConverterSettings) confmap.Converter {
		return converter{total: total, logger: set.Logger}
	}))
}

// cgroupLimit returns the memory limit of the cgroup, in bytes; 0: none.
func cgroupLimit() uint64 {
	limit, err := memlimit.FromCgroup()
	if err != nil || limit > math.MaxInt64/2 {
		return 0 // no cgroup, or no limit
	}
	return limit
}

// converter reads the configuration, and does not change it.
type converter struct {
	total  uint64
	logger *zap.Logger
}

// Convert sets the memory limit that follows from a configuration.
func (c converter) Convert(_ context.Context, conf *confmap.Conf) error {
	processors, _ := conf.ToStringMap()["processors"].(map[string]any)
	limit := Limit(processors, c.total)
	debug.SetMemoryLimit(limit)
	if limit != math.MaxInt64 && c.logger != nil {
		c.logger.Debug("Memory limit of the garbage collector", zap.Int64("GOMEMLIMIT", limit))
	}
	return nil
}

// Limit returns the memory limit of the garbage collector, in bytes: the smallest of 90 % of
// total, the memory of the cgroup (0: no limit), and the soft limits of the memory_limiter
// processors, above which they refuse data. Without any it is math.MaxInt64, which is none.
// Settings that are not valid are ignored; the Collector reports them.
func Limit(processors map[string]any, total uint64) int64 {
	limit := int64(math.MaxInt64)
	if total > 0 {
		limit = int64(cgroupShare * float64(total))
	}
	for id, value := range processors {
		if kind, _, _ := strings.Cut(id, "/"); kind != "memory_limiter" {
			continue
		}
		settings, _ := value.(map[string]any)
		if soft := softLimit(settings, total); soft > 0 {
			limit = min(limit, soft)
		}
	}
	return limit
}

// softLimit returns the limit of a memory_limiter less its spike limit, in bytes; 0: unknown.
func softLimit(settings map[string]any, total uint64) int64 {
	unit, hard, spike := float64(mebibyte), number(settings["limit_mib"]), number(settings["spike_limit_mib"])
	if hard == 0 { // of a machine without a cgroup's limit a share is no limit that is near
		unit, hard, spike = float64(total)/100, number(settings["limit_percentage"]), number(settings["spike_limit_percentage"])
	}
	if spike == 0 {
		spike = spikeShare * hard
	}
	if hard <= 0 || spike < 0 || spike >= hard || hard*unit >= math.MaxInt64 {
		return 0
	}
	return int64((hard - spike) * unit)
}

// number reads a number, which may be text after the expansion of a variable; 0: none.
func number(value any) float64 {
	switch n := value.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	case float64:
		return n
	case string:
		parsed, err := strconv.ParseFloat(n, 64)
		if err != nil || math.IsNaN(parsed) {
			return 0
		}
		return parsed
	default:
		return 0
	}
}
