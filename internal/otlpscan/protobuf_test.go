// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package otlpscan

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"
)

var limits = Limits{Messages: 1000, Depth: 64, Attributes: 128}

func check(body []byte) error {
	_, err := Protobuf(body, Metrics, limits)
	return err
}

// within encodes bytes as a field of a message.
func within(number protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), inner)
}

// nested is an AnyValue, levels deep.
func nested(levels int) []byte {
	var one []byte
	for range levels {
		one = within(5, within(1, one))
	}
	return one
}

// Small requests that would take a gigabyte, or the stack of the process, when they are decoded.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	empty := bytes.Repeat(within(1, nil), limits.Messages+1)
	record := func(body []byte) []byte { return within(1, within(2, within(2, body))) }
	group := protowire.AppendTag(protowire.AppendTag(nil, 99, protowire.StartGroupType), 98, protowire.EndGroupType)
	for name, c := range map[string]struct {
		of    *Message
		body  []byte
		error string
	}{
		"resources":           {Logs, empty, "more than 1000 messages in one request"},
		"scopes":              {Logs, within(1, bytes.Repeat(within(2, nil), 1001)), "more than 1000 messages"},
		"deprecated scopes":   {Traces, within(1, bytes.Repeat(within(1000, nil), 1001)), "more than 1000 messages"},
		"records":             {Logs, within(1, within(2, bytes.Repeat(within(2, nil), 1001))), "more than 1000 messages"},
		"keys of an entity":   {Metrics, within(1, within(1, within(3, bytes.Repeat(within(3, nil), 1001)))), "more than 1000 messages"},
		"a deep body":         {Logs, record(within(5, nested(5000))), "messages are nested deeper than 64"},
		"a deep attribute":    {Logs, record(within(6, within(2, nested(5000)))), "messages are nested deeper than 64"},
		"attributes":          {Logs, record(bytes.Repeat(within(6, nil), 129)), "more than 128 attributes"},
		"attributes of links": {Traces, record(within(13, bytes.Repeat(within(4, nil), 129))), "more than 128 attributes"},
		"series":              {RemoteWrite, empty, "more than 1000 messages"},
		// Decoders skip this group; a scan that stopped at it would not see what follows.
		"after a bad group": {Logs, append(group, empty...), "not well-formed"},
		"a cut off length":  {Logs, []byte{0x0a, 0xff}, "not well-formed"},
	} {
		_, err := Protobuf(c.body, c.of, limits)
		assert.ErrorContains(t, err, c.error, name)
	}
}

func TestHostileJSON(t *testing.T) {
	t.Parallel()
	list := func(n int) string { return "[" + strings.Repeat("{},", n) + "{}]" }
	other := func(n int, value string) string { return "[" + strings.Repeat(value+",", n) + value + "]" }
	record := func(fields string) string {
		return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{` + fields + `}]}]}]}`
	}
	for name, c := range map[string]struct{ body, error string }{
		"resources":              {`{"resourceLogs":` + list(1001) + `}`, "more than 1000 messages in one request"},
		"null resources":         {`{"resourceLogs":` + other(1000, "null") + `}`, "more than 1000 messages in one request"},
		"null records":           {`{"resourceLogs":[{"scopeLogs":[{"logRecords":` + other(1000, "null") + `}]}]}`, "more than 1000 messages"},
		"null values":            {record(`"body":{"arrayValue":{"values":` + other(1000, "null") + `}}`), "more than 1000 messages"},
		"numbers":                {`{"resourceLogs":` + other(1000, "1") + `}`, "more than 1000 messages"},
		"empty arrays":           {`{"resourceLogs":` + other(1000, "[]") + `}`, "more than 1000 messages"},
		"null attributes":        {record(`"attributes":` + other(128, "null")), "more than 128 attributes"},
		"arrays as attributes":   {record(`"attributes":` + other(128, "[]")), "more than 128 attributes"},
		"buckets":                {`{"bucketCounts":` + other(2000, `"1"`) + `,"explicitBounds":` + other(2000, "1.5") + `}`, ""},
		"attributes":             {record(`"attributes":` + list(128)), "more than 128 attributes"},
		"an escaped name":        {record(`"\u0061ttributes":` + list(128)), "more than 128 attributes"},
		"attributes twice":       {record(`"attributes":` + list(100) + `,"attributes":` + list(100)), "not well-formed"},
		"filtered attributes":    {record(`"filtered_attributes":` + list(128)), "more than 128 attributes"},
		"a deep body":            {record(`"body":` + strings.Repeat(`{"arrayValue":{"values":[`, 100)), "nested deeper than 64"},
		"a deep array":           {strings.Repeat("[", 1_000_000), "nested deeper than 64"},
		"cut off":                {`{"resourceLogs":[`, "not well-formed"},
		"no JSON":                {"x", "not well-formed"},
		"the most attributes":    {record(`"attributes":` + list(127)), ""},
		"a list within a value":  {record(`"body":{"arrayValue":{"values":` + list(300) + `}}`), ""},
		"an object after a name": {record(`"attributes":1,"x":` + list(300)), ""},
		"nothing":                {"", ""},
	} {
		_, err := JSON([]byte(c.body), limits)
		if c.error == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.error, name)
		}
	}
}

// The same request has as many messages in both encodings, as far as they are objects in JSON.
func TestJSON_LikeProtobuf(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetStr("text")
	record.Attributes().PutStr("a", "b")
	record.Attributes().PutEmptySlice("s").AppendEmpty().SetInt(1)
	spans := ptrace.NewTraces()
	spans.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Links().AppendEmpty().Attributes().PutInt("a", 1)
	l, s := plogotlp.NewExportRequestFromLogs(logs), ptraceotlp.NewExportRequestFromTraces(spans)
	for name, c := range map[string]struct {
		of        *Message
		body, txt func() ([]byte, error)
	}{
		"logs":   {Logs, l.MarshalProto, l.MarshalJSON},
		"traces": {Traces, s.MarshalProto, s.MarshalJSON},
	} {
		body, err := c.body()
		require.NoError(t, err)
		txt, err := c.txt()
		require.NoError(t, err)
		proto, err := Protobuf(body, c.of, limits)
		require.NoError(t, err, name)
		json, err := JSON(txt, limits)
		require.NoError(t, err, name)
		assert.InDelta(t, proto.Messages, json.Messages, 2, name) // of the request itself, and empty messages
	}
}

// A decoder merges the parts of one resource, and not several resources.
func TestProtobuf_AttributesInParts(t *testing.T) {
	t.Parallel()
	one := within(1, nil)
	var parts, things, list []byte
	for range limits.Attributes + 1 {
		parts = append(parts, within(1, one)...)
		things = append(things, within(1, within(1, one))...)
		list = append(list, one...)
	}
	require.ErrorContains(t, check(within(1, parts)), "more than 128 attributes")
	require.NoError(t, check(things))
	request := pmetricotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalProto(within(1, parts)))
	assert.Equal(t, limits.Attributes+1, request.Metrics().ResourceMetrics().At(0).Resource().Attributes().Len())
	inValue := within(1, within(1, within(1, within(2, within(6, list)))))
	require.NoError(t, check(inValue), "attributes within a value are not those of a resource")
}

// Every message of a request with metrics is counted.
func TestProtobuf_CountsAllMessages(t *testing.T) {
	t.Parallel()
	m := pmetric.NewMetrics()
	resource := m.ResourceMetrics().AppendEmpty()                                  // 2, with the resource
	resource.Resource().Attributes().PutStr("a", "b")                              // 2
	resource.Resource().Attributes().PutEmptyMap("m").PutStr("a", "b")             // 2 + 3
	resource.Resource().Attributes().PutEmptySlice("s").AppendEmpty()              // 2 + 2
	scope := resource.ScopeMetrics().AppendEmpty()                                 // 2
	scope.Scope().Attributes().PutStr("a", "b")                                    // 2
	point := func(attributes pcommon.Map) { attributes.PutStr("a", "b") }          // 2
	add := func() pmetric.Metric { return scope.Metrics().AppendEmpty() }          // 1
	gauge := add().SetEmptyGauge().DataPoints().AppendEmpty()                      // 2
	gauge.Exemplars().AppendEmpty().FilteredAttributes().PutStr("a", "b")          // 3
	point(gauge.Attributes())                                                      //
	point(add().SetEmptySum().DataPoints().AppendEmpty().Attributes())             // 2
	point(add().SetEmptyHistogram().DataPoints().AppendEmpty().Attributes())       // 2
	exponential := add().SetEmptyExponentialHistogram().DataPoints().AppendEmpty() // 2 + 2 buckets
	point(exponential.Attributes())
	summary := add().SetEmptySummary().DataPoints().AppendEmpty() // 2
	summary.QuantileValues().AppendEmpty()                        // 1
	point(summary.Attributes())
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	require.NoError(t, err)
	size, err := Protobuf(body, Metrics, limits)
	require.NoError(t, err)
	assert.Equal(t, 2+2+5+4+2+2+5*(1+2+2)+3+2+1, size.Messages)
}

// A scan fails where the decoder of the Collector does not, never the other way around, and does not panic.
func FuzzProtobuf(f *testing.F) {
	f.Add(within(1, within(2, within(2, within(6, within(2, nested(3)))))))
	f.Add(within(1, within(1000, within(2, nil))))
	f.Add(protowire.AppendTag(nil, 99, protowire.StartGroupType))
	f.Fuzz(func(t *testing.T, body []byte) {
		size, err := Protobuf(body, Logs, limits)
		if err != nil {
			return
		}
		request := plogotlp.NewExportRequest()
		if request.UnmarshalProto(body) != nil {
			return
		}
		records := 0
		for _, resource := range request.Logs().ResourceLogs().All() {
			records++
			for _, scope := range resource.ScopeLogs().All() {
				records += 1 + scope.LogRecords().Len()
			}
		}
		if records > size.Messages {
			t.Fatalf("%d messages were scanned, %d are decoded", size.Messages, records)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{}]}]}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		size, err := JSON(body, limits)
		if err != nil {
			return
		}
		request := plogotlp.NewExportRequest()
		if request.UnmarshalJSON(body) != nil {
			return
		}
		for _, resource := range request.Logs().ResourceLogs().All() {
			if n := resource.Resource().Attributes().Len(); n > limits.Attributes || n > size.Messages {
				t.Fatalf("%d attributes are decoded", n)
			}
		}
	})
}
