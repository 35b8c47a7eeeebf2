// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func recordOf(change func(resource pcommon.Resource, record plog.LogRecord)) (pcommon.Resource, plog.LogRecord) {
	logs := plog.NewLogs().ResourceLogs().AppendEmpty()
	record := logs.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	change(logs.Resource(), record)
	return logs.Resource(), record
}

// The id is that of the message: the same for what is emitted again after a crash, and
// another for everything else that an episode says.
func TestIDOf_Alert(t *testing.T) {
	t.Parallel()
	id := func(alertID, status string, window int64, change func(plog.LogRecord)) string {
		return messageOf(recordOf(func(_ pcommon.Resource, record plog.LogRecord) {
			alert(record, alertID, status, window)
			if change != nil {
				change(record)
			}
		})).ID
	}
	first := id("a", "firing", 0, nil)
	assert.Regexp(t, `^msg_[0-9a-f]{32}$`, first, "no dot, which ends it in what is signed")
	assert.Equal(t, first, id("a", "firing", 0, func(record plog.LogRecord) {
		record.SetObservedTimestamp(99) // the crash was in between
		record.Body().Map().PutDouble("value", 0.69)
	}))
	ids := map[string]string{first: "firing"}
	for what, other := range map[string]string{
		"a reminder":       id("a", "firing", 1600, nil),
		"resolved":         id("a", "resolved", 3, nil),
		"resolved at once": id("a", "resolved", 0, nil),
		"another episode":  id("b", "firing", 0, nil),
		"another level": id("a", "firing", 0, func(record plog.LogRecord) {
			record.SetSeverityNumber(plog.SeverityNumberWarn)
		}),
	} {
		assert.NotContains(t, ids, other, what)
		ids[other] = what
	}
}

func TestIDOf_OtherRecord(t *testing.T) {
	t.Parallel()
	id := func(change func(pcommon.Resource, plog.LogRecord)) string {
		return messageOf(recordOf(func(resource pcommon.Resource, record plog.LogRecord) {
			resource.Attributes().PutStr("host", "x")
			record.Attributes().PutStr("file", "y")
			record.Body().SetStr("text")
			record.SetTimestamp(5)
			if change != nil {
				change(resource, record)
			}
		})).ID
	}
	first := id(nil)
	assert.Equal(t, first, id(nil))
	assert.Equal(t, first, id(func(_ pcommon.Resource, record plog.LogRecord) { record.SetObservedTimestamp(99) }))
	for name, change := range map[string]func(pcommon.Resource, plog.LogRecord){
		"body":      func(_ pcommon.Resource, record plog.LogRecord) { record.Body().SetStr("texts") },
		"time":      func(_ pcommon.Resource, record plog.LogRecord) { record.SetTimestamp(6) },
		"attribute": func(_ pcommon.Resource, record plog.LogRecord) { record.Attributes().PutStr("file", "z") },
		"resource":  func(resource pcommon.Resource, _ plog.LogRecord) { resource.Attributes().PutStr("host", "z") },
		"name":      func(_ pcommon.Resource, record plog.LogRecord) { record.SetEventName("n") },
	} {
		assert.NotEqual(t, first, id(change), name)
	}
}

func TestContentOf(t *testing.T) {
	t.Parallel()
	for want, set := range map[[2]string]func(pcommon.Value){
		{"text", "text/plain; charset=utf-8"}:        func(v pcommon.Value) { v.SetStr("text") },
		{`{"a": 1}`, "application/json"}:             func(v pcommon.Value) { v.SetStr(`{"a": 1}`) },
		{"\xff\x00", "application/octet-stream"}:     func(v pcommon.Value) { v.SetEmptyBytes().FromRaw([]byte{0xff, 0}) },
		{"null", "application/json"}:                 func(pcommon.Value) {},
		{"-9223372036854775808", "application/json"}: func(v pcommon.Value) { v.SetInt(math.MinInt64) },
		{"0.5", "application/json"}:                  func(v pcommon.Value) { v.SetDouble(0.50) },
		{`[true,null,null,"/w==","\u003c\u0026\u003e"]`, "application/json"}: func(v pcommon.Value) {
			s := v.SetEmptySlice()
			s.AppendEmpty().SetBool(true)
			s.AppendEmpty().SetDouble(math.NaN())
			s.AppendEmpty().SetDouble(math.Inf(-1))
			s.AppendEmpty().SetEmptyBytes().FromRaw([]byte{0xff})
			s.AppendEmpty().SetStr("<&>")
		},
		{`{"a":[],"z":{"a":2,"b":1}}`, "application/json"}: func(v pcommon.Value) {
			m := v.SetEmptyMap()
			z := m.PutEmptyMap("z")
			z.PutInt("b", 1)
			z.PutInt("a", 2)
			m.PutEmptySlice("a")
		},
	} {
		value := pcommon.NewValueEmpty()
		set(value)
		got, err := contentOf(value)
		require.NoError(t, err)
		assert.Equal(t, want, [2]string{string(got.Body), got.ContentType})
	}
}

func TestContentOf_TooDeep(t *testing.T) {
	t.Parallel()
	m := messageOf(recordOf(func(_ pcommon.Resource, record plog.LogRecord) {
		value := record.Body()
		for range 1000 {
			value = value.SetEmptySlice().AppendEmpty()
		}
	}))
	require.ErrorContains(t, m.err, "nested more than 100 deep")
	assert.NotEmpty(t, m.ID)
	assert.Equal(t, strings.Repeat("[", 1000)+"null"+strings.Repeat("]", 1000), string(m.Content.Body), "which the dead letter keeps")
}

// An alert that went through a log store as text is an alert still.
func TestMessageOf_AlertAsText(t *testing.T) {
	t.Parallel()
	m := messageOf(recordOf(func(_ pcommon.Resource, record plog.LogRecord) {
		record.Body().SetStr(`{"metric": "m", "value": 0.5}`)
	}))
	assert.Equal(t, map[string]any{"metric": "m", "value": 0.5}, m.Body)
	m = messageOf(recordOf(func(_ pcommon.Resource, record plog.LogRecord) { record.Body().SetStr("{oops") }))
	assert.Equal(t, "{oops", m.Body)
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	for number, want := range map[plog.SeverityNumber]string{
		0: "loud", 1: "trace", 8: "debug", 9: "info", 13: "warn", 17: "error", 20: "error", 24: "fatal", 25: "loud", -1: "loud",
	} {
		_, record := recordOf(func(_ pcommon.Resource, record plog.LogRecord) {
			record.SetSeverityNumber(number)
			record.SetSeverityText("LOUD")
		})
		assert.Equal(t, want, severityOf(record), number)
	}
}

// The JSON of any body, read again, is what the body holds.
func FuzzContentOf(f *testing.F) {
	f.Add("key", "<text>\x00\xff\u2028", 0.1, int64(-1))
	f.Fuzz(func(t *testing.T, key, text string, number float64, complete int64) {
		value := pcommon.NewValueEmpty()
		object := value.SetEmptyMap()
		object.PutStr(key, text)
		object.PutEmptySlice(key + "s").AppendEmpty().SetDouble(number)
		object.PutInt(key+"i", complete)
		got, err := contentOf(value)
		require.NoError(t, err)
		var back map[string]any
		decoder := json.NewDecoder(bytes.NewReader(got.Body))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&back), "%s", got.Body)
		if utf8.ValidString(key) && utf8.ValidString(text) {
			assert.Equal(t, text, back[key])
			assert.Equal(t, json.Number(strconv.FormatInt(complete, 10)), back[key+"i"])
		}
	})
}

// The order of keys is no part of a message's identity.
func TestIDOf_OrderOfKeys(t *testing.T) {
	t.Parallel()
	id := func(keys ...string) string {
		return messageOf(recordOf(func(_ pcommon.Resource, record plog.LogRecord) {
			body := record.Body().SetEmptyMap()
			for _, key := range keys {
				body.PutStr(key, key)
				record.Attributes().PutStr(key, key)
			}
		})).ID
	}
	assert.Equal(t, id("a", "b"), id("b", "a"))
	assert.NotEqual(t, id("a", "b"), id("a"))
}
