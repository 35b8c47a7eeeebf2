// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
)

// Whatever a configuration holds, it is refused, or the component can be made of it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		_, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
		require.NoError(t, err)
	},
		"{ tolerance: 200ms, misaligned: 500ms, interval: 10s, correct: true }",
		"{ reference: { ntp: pool.ntp.org }, restart_after: 1h }",
	)
}

// Whatever records come by OTLP, they pass.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"resourceLogs":[{"resource":{"attributes":[{"key":"tenant_id","value":{"stringValue":"a"}}]},"scopeLogs":[{"logRecords":[{"eventName":"message.send","timeUnixNano":"1715623400000000000","observedTimeUnixNano":"1715623400100000000"}]}]}]}`), true)
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"stream.connected","timeUnixNano":"18446744073709551615"}]}]}]}`), false)
	f.Fuzz(func(t *testing.T, text []byte, correct bool) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		sink := &consumertest.LogsSink{}
		config := createDefaultConfig().(*Config)
		config.Correct = correct
		p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), config, sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		count := logs.LogRecordCount()
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		require.NoError(t, p.Shutdown(t.Context()))
		require.GreaterOrEqual(t, sink.LogRecordCount(), count)
	})
}
