// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Whatever records come by OTLP, a window record that is none is counted, and the
// others become metrics.
func FuzzRecords(f *testing.F) {
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(record(aWindow()))
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"ws_throughput","body":{"kvlistValue":{"values":[{"key":"tags","value":{"kvlistValue":{}}}]}}}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		sink := &consumertest.MetricsSink{}
		require.NoError(t, newLogs(t, sink).ConsumeLogs(t.Context(), logs))
	})
}
