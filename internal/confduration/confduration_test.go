// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package confduration

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
)

type inner struct {
	Wait  time.Duration `mapstructure:"wait"`
	Count int           `mapstructure:"count"`
}

type squashed struct {
	Idle *time.Duration `mapstructure:"idle"`
}

type example struct {
	Squashed squashed          `mapstructure:",squash"`
	Timeout  time.Duration     `mapstructure:"timeout"`
	List     []inner           `mapstructure:"list"`
	Times    []time.Duration   `mapstructure:"times"`
	ByName   map[string]*inner `mapstructure:"by_name"`
	Optional configoptional.Optional[inner]
	Again    *example       `mapstructure:"again"`
	Free     map[string]any `mapstructure:"free"`
	Text     string         `mapstructure:"text"`
	Number   int            `mapstructure:"number"`
}

// Unmarshal is how components use the package.
func (e *example) Unmarshal(conf *confmap.Conf) error { return Unmarshal(conf, e) }

func TestUnmarshal_DurationWithUnitIsDecoded(t *testing.T) {
	t.Parallel()
	config := &example{Optional: configoptional.None[inner]()}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"timeout": "1h30m", "idle": "0", "times": []any{"1s", 0, "0s"}, "list": []any{map[string]any{"wait": "15s", "count": 15}},
		"by_name": map[string]any{"a": map[string]any{"wait": "2ms"}}, "Optional": map[string]any{"wait": "3s"},
		"free": map[string]any{"timeout": 15}, "text": "15", "number": 15, "again": nil,
	}).Unmarshal(config))
	assert.Equal(t, 90*time.Minute, config.Timeout)
	assert.Equal(t, []time.Duration{time.Second, 0, 0}, config.Times)
	assert.Equal(t, []inner{{Wait: 15 * time.Second, Count: 15}}, config.List)
	assert.Equal(t, 2*time.Millisecond, config.ByName["a"].Wait)
	assert.Equal(t, 3*time.Second, config.Optional.Get().Wait)
	assert.Equal(t, map[string]any{"timeout": 15}, config.Free)
}

func TestUnmarshal_DurationWithoutUnitIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config map[string]any
		says   string
	}{
		"integer":         {map[string]any{"timeout": 15}, `timeout: 15: has no unit; write 15s for seconds`},
		"float":           {map[string]any{"timeout": 0.5}, `timeout: 0.5: has no unit; write 0.5s for seconds`},
		"large":           {map[string]any{"timeout": 1e9}, `timeout: 1000000000: has no unit; write 1000000000s`},
		"negative":        {map[string]any{"timeout": -15}, `timeout: -15: has no unit; write 15s`},
		"text":            {map[string]any{"timeout": "15"}, `timeout: "15": has no unit; write 15s`},
		"spaces":          {map[string]any{"timeout": " 15 "}, `timeout: " 15 ": has no unit; write 15s`},
		"days":            {map[string]any{"timeout": "7d"}, `timeout: "7d": is not a duration; write 168h`},
		"words":           {map[string]any{"timeout": "soon"}, `timeout: "soon": is not a duration; write one as 15s`},
		"infinite":        {map[string]any{"timeout": "inf"}, `timeout: "inf": is not a duration`},
		"pointer":         {map[string]any{"idle": 15}, `idle: 15: has no unit`},
		"list":            {map[string]any{"list": []any{map[string]any{"wait": "1s"}, map[string]any{"wait": 15}}}, `list::1::wait: 15: has no unit`},
		"list of one":     {map[string]any{"times": 15}, `times::0: 15: has no unit`},
		"map":             {map[string]any{"by_name": map[string]any{"a": map[string]any{"wait": 15}}}, `by_name::a::wait: 15: has no unit`},
		"optional":        {map[string]any{"Optional": map[string]any{"wait": 15}}, `Optional::wait: 15: has no unit`},
		"within its type": {map[string]any{"again": map[string]any{"again": map[string]any{"timeout": 15}}}, `again::again::timeout: 15: has no unit`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := &example{Optional: configoptional.None[inner]()}
			require.ErrorContains(t, confmap.NewFromStringMap(test.config).Unmarshal(config), test.says)
		})
	}
}

func TestUnmarshal_EveryKeyIsReported(t *testing.T) {
	t.Parallel()
	err := confmap.NewFromStringMap(map[string]any{"timeout": 15, "idle": "20"}).Unmarshal(&example{})
	require.ErrorContains(t, err, "timeout: 15: has no unit")
	require.ErrorContains(t, err, `idle: "20": has no unit`)
}
