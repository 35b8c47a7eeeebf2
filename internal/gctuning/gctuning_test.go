// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package gctuning

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	const none = math.MaxInt64
	for name, test := range map[string]struct {
		total uint64 // MiB
		yaml  string
		want  int64 // MiB
	}{
		"no limit":                              {0, "drift:", none},
		"a cgroup":                              {1000, "drift:", 900},
		"the quick start":                       {0, "memory_limiter: { limit_mib: 512, spike_limit_mib: 128 }", 384},
		"the default of the spike":              {0, "memory_limiter: { limit_mib: 500 }", 400},
		"percentages of a cgroup":               {1000, "memory_limiter: { limit_percentage: 80, spike_limit_percentage: 20 }", 600},
		"percentages of a machine":              {0, "memory_limiter: { limit_percentage: 80 }", none},
		"the smallest counts":                   {1000, "{ memory_limiter/a: { limit_mib: 500 }, memory_limiter/b: { limit_mib: 250, spike_limit_mib: 50 }, batch: { limit_mib: 1 } }", 200},
		"more than the cgroup":                  {100, "memory_limiter: { limit_mib: 500 }", 90},
		"text":                                  {0, `memory_limiter: { limit_mib: "500", spike_limit_mib: "100" }`, 400},
		"a spike above the limit":               {0, "memory_limiter: { limit_mib: 100, spike_limit_mib: 200 }", none},
		"a negative limit":                      {0, "memory_limiter: { limit_mib: -5 }", none},
		"a limit above everything":              {0, "memory_limiter: { limit_mib: 1e300 }", none},
		"no settings":                           {0, "memory_limiter:", none},
		"text that is not a number":             {0, "memory_limiter: { limit_mib: many }", none},
		"a list instead of a number":            {0, "memory_limiter: { limit_mib: [1] }", none},
		"percentages that are text of a cgroup": {1000, `memory_limiter: { limit_percentage: "50" }`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			retrieved, err := confmap.NewRetrievedFromYAML([]byte(test.yaml))
			require.NoError(t, err)
			conf, err := retrieved.AsConf()
			require.NoError(t, err)
			want := test.want
			if want != none {
				want *= mebibyte
			}
			assert.InDelta(t, want, Limit(conf.ToStringMap(), test.total*mebibyte), 1)
		})
	}
}

// The environment has precedence, and a configuration that is loaded sets the limit.
func TestApply(t *testing.T) { //nolint:paralleltest // the settings are of the process
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	t.Run("environment", func(t *testing.T) { //nolint:paralleltest // as above
		t.Setenv("GOGC", "123")
		t.Setenv("GOMEMLIMIT", "1GiB")
		var set otelcol.CollectorSettings
		before := debug.SetMemoryLimit(-1)
		Apply(&set)
		assert.Equal(t, 100, percent(), "as the runtime has read it")
		assert.Equal(t, before, debug.SetMemoryLimit(-1))
		assert.Empty(t, set.ConfigProviderSettings.ResolverSettings.ConverterFactories)
	})
	t.Run("configuration", func(t *testing.T) { //nolint:paralleltest // as above
		t.Setenv("GOGC", "")
		t.Setenv("GOMEMLIMIT", "")
		var set otelcol.CollectorSettings
		Apply(&set)
		assert.Equal(t, Percent, percent())
		factories := set.ConfigProviderSettings.ResolverSettings.ConverterFactories
		require.Len(t, factories, 1)
		conf := confmap.NewFromStringMap(map[string]any{"processors": map[string]any{"memory_limiter": map[string]any{"limit_mib": 64, "spike_limit_mib": 16}}})
		require.NoError(t, factories[0].Create(confmap.ConverterSettings{Logger: zap.NewNop()}).Convert(t.Context(), conf))
		assert.Equal(t, int64(48*mebibyte), debug.SetMemoryLimit(-1))
	})
}

// The documentation states this number as the shipped one, and no other.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/tuning.md")
	require.NoError(t, err)
	assert.Contains(t, string(text), fmt.Sprintf("| `GOGC` | `%d` |", Percent))
	shipped := regexp.MustCompile(`(\d+), as shipped`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, shipped, 1)
	assert.Equal(t, strconv.Itoa(Percent), shipped[0][1])
}
