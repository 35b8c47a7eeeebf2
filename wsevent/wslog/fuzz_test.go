// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wslog

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Whatever a record says, it is read as a window or refused.
func FuzzDecodeRecord(f *testing.F) {
	logs := plog.NewLogs()
	window := aWindow()
	EncodeWindow(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), &window)
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if decoded, err := DecodeRecord(record); err == nil {
						assert.Greater(t, decoded.End, decoded.Start)
					}
				}
			}
		}
	})
}
