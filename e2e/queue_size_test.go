// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Queues on disk hold an hour, have no limit of time, and keep the order.
func TestValidateQueuesHoldAnHour(t *testing.T) {
	t.Parallel()
	const (
		windowsPerHour = 400 // one every 9 s
		windows        = 2_000 * windowsPerHour * 5_000
		rawEvents      = 500 * 3_600 * 1_000
	)
	queues := 0
	for _, path := range matching(t, "../config/*.yaml") {
		var config struct {
			Exporters map[string]struct {
				Queue struct {
					Storage      string
					Sizer        string
					QueueSize    int64 `yaml:"queue_size"`
					NumConsumers int   `yaml:"num_consumers"`
				} `yaml:"sending_queue"`
				Retry struct {
					MaxElapsed *int `yaml:"max_elapsed_time"`
				} `yaml:"retry_on_failure"`
			}
			Service struct {
				Pipelines map[string]struct{ Exporters []string }
			}
		}
		readYAML(t, path, &config)
		for name, exporter := range config.Exporters {
			if exporter.Queue.Sizer != "bytes" {
				continue
			}
			queues++
			least := int64(rawEvents)
			for pipeline, of := range config.Service.Pipelines {
				for _, id := range of.Exporters {
					if id == name && pipeline == "metrics/windows" {
						least = windows
					}
				}
			}
			where := filepath.Base(path) + " " + name
			assert.GreaterOrEqual(t, exporter.Queue.QueueSize, least, where)
			assert.Equal(t, "file_storage", exporter.Queue.Storage, where)
			assert.Equal(t, 1, exporter.Queue.NumConsumers, where)
			if assert.NotNil(t, exporter.Retry.MaxElapsed, where) {
				assert.Zero(t, *exporter.Retry.MaxElapsed, where)
			}
		}
	}
	require.Greater(t, queues, 15)
}
