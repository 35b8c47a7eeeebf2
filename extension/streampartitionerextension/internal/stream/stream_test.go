// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// message encodes resources with these attributes.
func message(t testing.TB, resources ...map[string]any) []byte {
	t.Helper()
	logs := plog.NewLogs()
	for _, attributes := range resources {
		resource := logs.ResourceLogs().AppendEmpty()
		resource.SetSchemaUrl("https://opentelemetry.io/schemas/1.0.0")
		require.NoError(t, resource.Resource().Attributes().FromRaw(attributes))
		record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Body().SetStr("a body")
		record.Attributes().PutStr(wsevent.TenantID, "an attribute of the record is none of the resource")
	}
	encoded, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return encoded
}

func TestKey(t *testing.T) {
	t.Parallel()
	complete := message(t, map[string]any{"tenant_id": "acme_corp", "region": "us-east-1"})
	for name, c := range map[string]struct {
		message []byte
		key     string
		err     string
	}{
		"a stream": {message: complete, key: "acme_corp/us-east-1"},
		"whatever else the resource has": {
			message: message(t, map[string]any{"channel_type": "voice", "region": "us-east-1", "ccaas.platform": "custom", "tenant_id": "acme_corp"}),
			key:     "acme_corp/us-east-1",
		},
		"the stream itself": {
			message: message(t, map[string]any{"tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "unknown"}),
			key:     "acme_corp/us-east-1",
		},
		"several resources of one stream": {
			message: message(t,
				map[string]any{"tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "voice"},
				map[string]any{"tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "webmessaging"}),
			key: "acme_corp/us-east-1",
		},
		"without a tenant":       {message: message(t, map[string]any{"region": "us-east-1"}), key: "unknown/us-east-1"},
		"without anything":       {message: message(t, map[string]any{}), key: "unknown/unknown"},
		"a tenant that is empty": {message: message(t, map[string]any{"tenant_id": "", "region": "r"}), key: "unknown/r"},
		"a tenant that is a number": {
			message: message(t, map[string]any{"tenant_id": 7, "region": "r"}), key: "unknown/r",
		},
		"several streams": {
			message: message(t, map[string]any{"tenant_id": "acme_corp"}, map[string]any{"tenant_id": "globex"}),
			err:     `holds the streams "acme_corp/unknown" and "globex/unknown"`,
		},
		"nothing":     {err: "holds no resource"},
		"JSON":        {message: []byte(`{"resourceLogs":[]}`), err: "is not OTLP"},
		"a cut-off":   {message: complete[:len(complete)-3], err: "is not OTLP"},
		"some digits": {message: []byte("0123456789"), err: "is not OTLP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := Key(c.message)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.key, string(key))
		})
	}
}

// Where a message is one that the window collectors can decode, both sides find the
// same stream in it.
func FuzzKey(f *testing.F) {
	f.Add(message(f, map[string]any{"tenant_id": "acme_corp", "region": "us-east-1"}))
	f.Add(message(f, map[string]any{"tenant_id": 7}, map[string]any{}))
	f.Add([]byte("0123456789"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := Key(data)
		logs, undecodable := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data)
		if err != nil || undecodable != nil {
			return
		}
		require.Positive(t, logs.ResourceLogs().Len())
		for _, resource := range logs.ResourceLogs().All() {
			tags := wslog.TagsOf(resource.Resource().Attributes())
			if tags.Overflow {
				continue
			}
			assert.Equal(t, string(wsevent.StreamKey(tags.TenantID, tags.Region)), string(key))
		}
	})
}

func BenchmarkKey(b *testing.B) {
	data := message(b, map[string]any{"tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "voice"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Key(data); err != nil {
			b.Fatal(err)
		}
	}
}
