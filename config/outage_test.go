// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package config tests what can be read in the shipped configurations.
package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// configuration is the part of a shipped file that decides what an outage of a backend costs.
type configuration struct {
	Exporters map[string]exporter
	Service   struct {
		Extensions []string
		Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
	}
}

type exporter struct {
	Timeout *time.Duration
	Queue   *struct {
		Enabled         *bool
		Storage         string
		Sizer           string
		QueueSize       int64 `yaml:"queue_size"`
		NumConsumers    int   `yaml:"num_consumers"`
		BlockOnOverflow bool  `yaml:"block_on_overflow"`
	} `yaml:"sending_queue"`
	Retry struct {
		MaxElapsed *int `yaml:"max_elapsed_time"`
	} `yaml:"retry_on_failure"`
}

func configurations(t *testing.T) map[string]configuration {
	t.Helper()
	paths, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.Greater(t, len(paths), 20)
	all := map[string]configuration{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var c configuration
		require.NoError(t, yaml.Unmarshal(text, &c), path)
		all[path] = c
	}
	return all
}

// Exporters without a queue of their own on disk, and why an outage costs nothing, or what the documentation says it costs.
var withoutQueue = map[string]string{
	"quickstart.yaml otlp_http":        "the store is in the same process",
	"quickstart.yaml otlp_http/events": "the same; events that are not stored are counted",
	"kafka-window.yaml otlp_http":      "windows wait in ws_window, whose state is in Kafka",
	"rabbitmq-window.yaml otlp_http":   "windows wait in ws_window, whose state is in RabbitMQ",
}

// Every exporter that sends over a network keeps what an outage of an hour holds up on disk, in order, without a limit
// of time, and does not hold up SIGTERM for more than 10 s.
func TestOutage_QueuesHoldAnHourAndARestart(t *testing.T) {
	t.Parallel()
	const (
		windowsPerHour = 400 // one every 9 s
		windows        = 2_000 * windowsPerHour * 5_000
		rawEvents      = 500 * 3_600 * 1_000
	)
	queues := 0
	for path, c := range configurations(t) {
		for name, e := range c.Exporters {
			where := path + " " + name
			kind, _, _ := strings.Cut(name, "/")
			switch kind {
			case "debug", "file", "alertmanager": // not over a network; alertmanager keeps alerts in its directory until they are notified
				continue
			case "prometheus": // is scraped; docs/operations.md says what an absent scraper costs
				continue
			case "webhook": // no limit of time and a consumer by default; the size is in alerts
				require.NotNil(t, e.Queue, where)
				assert.Equal(t, "file_storage", e.Queue.Storage, where)
				continue
			}
			if kind != "prometheus_remote_write" && path != "quickstart.yaml" && assert.NotNil(t, e.Timeout, where) { // its default is 5s
				assert.LessOrEqual(t, *e.Timeout, 8*time.Second, where)
			}
			if _, excepted := withoutQueue[where]; excepted {
				continue
			}
			queues++
			require.NotNil(t, e.Queue, where)
			assert.Nil(t, e.Queue.Enabled, where)
			assert.Equal(t, "bytes", e.Queue.Sizer, where)
			least := int64(rawEvents)
			for pipeline, of := range c.Service.Pipelines {
				if (pipeline == "metrics/windows" || pipeline == "logs/windows") && slices.Contains(of.Exporters, name) {
					least = windows
				}
			}
			assert.GreaterOrEqual(t, e.Queue.QueueSize, least, where)
			assert.Equal(t, "file_storage", e.Queue.Storage, where)
			assert.Contains(t, c.Service.Extensions, "file_storage", where)
			assert.Equal(t, 1, e.Queue.NumConsumers, where)
			if assert.NotNil(t, e.Retry.MaxElapsed, where) {
				assert.Zero(t, *e.Retry.MaxElapsed, where)
			}
		}
	}
	require.Greater(t, queues, 15)
}

// No pipeline that counts windows waits for an exporter of raw events or traces: those are behind a connector and a batch
// processor, which returns no errors, and never block on overflow.
func TestOutage_ArchivesHoldUpNoWindow(t *testing.T) {
	t.Parallel()
	for path, c := range configurations(t) {
		for name, pipeline := range c.Service.Pipelines {
			if slices.Contains(pipeline.Processors, "ws_window") {
				for _, e := range pipeline.Exporters {
					assert.Contains(t, []string{"ws_metrics", "ws_sessions", "forward/archive", "forward/windows", "debug"}, e, "%s %s", path, name)
				}
			}
			if signal, _, _ := strings.Cut(name, "/"); signal == "traces" {
				assert.Contains(t, pipeline.Processors, "batch/traces", "%s %s", path, name)
			}
			if slices.Contains(pipeline.Receivers, "forward/windows") {
				assert.Equal(t, []string{"elasticsearch_bulk/windows"}, pipeline.Exporters, "%s %s: windows share no queue with raw events", path, name)
			}
			if slices.Contains(pipeline.Receivers, "forward/archive") {
				assert.Contains(t, pipeline.Processors, "batch/archive", "%s %s", path, name)
				for _, e := range pipeline.Exporters {
					assert.False(t, c.Exporters[e].Queue != nil && c.Exporters[e].Queue.BlockOnOverflow, "%s %s", path, e)
				}
			}
		}
	}
}

// An exporter of windows that no run of TestFaultBackendOutageWithARestart has is the same, key by key, as one that it has.
func TestOutage_EveryExporterOfWindowsIsRun(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../e2e/fault_backend_outage_test.go")
	require.NoError(t, err)
	all := configurations(t)
	var run []exporter
	for path, c := range all {
		if strings.Contains(string(source), `{"`+path+`"`) {
			for _, name := range c.Service.Pipelines["metrics/windows"].Exporters {
				run = append(run, c.Exporters[name])
			}
		}
	}
	require.NotEmpty(t, run)
	for path, c := range all {
		for _, name := range c.Service.Pipelines["metrics/windows"].Exporters {
			e, exports := c.Exporters[name]
			if _, excepted := withoutQueue[path+" "+name]; excepted || !exports || name == "prometheus" {
				continue
			}
			assert.Contains(t, run, e, "%s %s", path, name)
		}
	}
}

// estate.yaml has its formats from the configurations of Slack and PagerDuty, and its archive and store from theirs.
func TestEstate_IsMadeOfTheOthers(t *testing.T) {
	t.Parallel()
	parts := func(path string) map[string]any {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var c struct{ Exporters map[string]any }
		require.NoError(t, yaml.Unmarshal(text, &c))
		return c.Exporters
	}
	estate := parts("estate.yaml")
	assert.Equal(t, parts("webhook-slack.yaml")["webhook"], estate["webhook/slack"])
	assert.Equal(t, parts("webhook-pagerduty.yaml")["webhook"], estate["webhook/pagerduty"])
	assert.Equal(t, parts("prometheus-otlp.yaml")["otlp_http/prometheus"], estate["otlp_http/prometheus"])
	assert.Equal(t, parts("archive.yaml")["file/archive"], estate["file/archive"])
}

// Own telemetry that is sent has a timeout for each attempt: without one, SIGTERM waits for a minute where the backend hangs.
func TestOutage_OwnTelemetryHasATimeout(t *testing.T) {
	t.Parallel()
	type sender struct {
		Batch *struct {
			ExportTimeout int `yaml:"export_timeout"`
		}
		Periodic *struct{ Timeout int }
	}
	paths, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	senders := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var c struct {
			Service struct {
				Telemetry struct {
					Traces, Logs struct{ Processors []sender }
					Metrics      struct{ Readers []sender }
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &c), path)
		for _, s := range slices.Concat(c.Service.Telemetry.Traces.Processors, c.Service.Telemetry.Logs.Processors, c.Service.Telemetry.Metrics.Readers) {
			if s.Batch != nil {
				senders++
				assert.Equal(t, 1000, s.Batch.ExportTimeout, path)
			}
			if s.Periodic != nil {
				senders++
				assert.Equal(t, 1000, s.Periodic.Timeout, path)
			}
		}
	}
	assert.Equal(t, 5, senders)
}
