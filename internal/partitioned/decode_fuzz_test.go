// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// A message that cannot be decoded does not affect the other messages.
func FuzzMessages(f *testing.F) {
	text, err := (&plog.ProtoMarshaler{}).MarshalLogs(sample(f, "acme_corp"))
	require.NoError(f, err)
	f.Add(text, false)
	text, err = (&plog.JSONMarshaler{}).MarshalLogs(sample(f, "acme_corp"))
	require.NoError(f, err)
	f.Add(text, true)
	decoders := map[bool]*decoder{}
	decoders[false], _, _ = decoding(f, OTLPProto, 0, 3)
	decoders[true], _, _ = decoding(f, OTLPJSON, 0, 3)
	good := map[bool][]byte{}
	good[false], err = (&plog.ProtoMarshaler{}).MarshalLogs(sample(f, "globex"))
	require.NoError(f, err)
	good[true], err = (&plog.JSONMarshaler{}).MarshalLogs(sample(f, "globex"))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, message []byte, asJSON bool) {
		logs, _ := decoders[asJSON].decode(t.Context(), []Message{{Value: good[asJSON]}, {Value: message}, {Value: good[asJSON]}})
		require.GreaterOrEqual(t, logs.LogRecordCount(), 2)
	})
}
