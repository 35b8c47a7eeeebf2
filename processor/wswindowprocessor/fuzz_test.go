// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Whatever a configuration holds, it is refused, or the component can be made of it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		_, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
		require.NoError(t, err)
	},
		"{ size: 10s, overlap: 1s, allowed_lateness: 2s, max_series: 1 }",
		"{ size: 1s, overlap: 999ms, series_idle: 0s, storage: file_storage }",
	)
}

// Whatever records come by OTLP, they pass, and windows of what they hold follow.
func FuzzRecords(f *testing.F) {
	marshaler := &plog.JSONMarshaler{}
	for _, name := range []string{wsevent.ConnectionOpen, wsevent.MessageSend, wsevent.ConnectionClose, wsevent.StreamGap, wsevent.ClockSkew} {
		text, err := marshaler.MarshalLogs(event(name, "c-1"))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		sink := &consumertest.LogsSink{}
		p := start(t, createDefaultConfig().(*Config), sink)
		count := logs.LogRecordCount()
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, count, sink.LogRecordCount()-len(windows(t, sink)))
	})
}
