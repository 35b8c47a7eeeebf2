// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// TestReadme reads what the README shows, as a reader would use it.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)

	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	require.NotEmpty(t, examples)
	for _, example := range examples {
		retrieved, err := confmap.NewRetrievedFromYAML(example[1])
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		one, err := conf.Sub("receivers::ccaas_ws")
		require.NoError(t, err)
		config := createDefaultConfig().(*Config)
		require.NoError(t, one.Unmarshal(config))
		require.NoError(t, config.Validate())
	}

	shown := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, shown)
	decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
	require.NoError(t, err)
	keeper := eventKeeper{}
	decoder.Decode(shown[1], &keeper)
	assert.Equal(t, jsonevent.ConnectionClose, keeper.event.Type)
	assert.Equal(t, "e-9001", string(keeper.event.ID))
}
