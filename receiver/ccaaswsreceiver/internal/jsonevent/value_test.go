// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// decodeOne decodes a frame of one event.
func decodeOne(t testing.TB, frame string) Event {
	t.Helper()
	got := decode(t, frame)
	require.Empty(t, got.violations)
	require.Len(t, got.events, 1)
	return got.events[0]
}

func TestDecodeText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ json, want string }{
		{`"plain"`, "plain"},
		{`"a"`, "a"},
		{`"` + strings.Repeat("x", 7) + `"`, strings.Repeat("x", 7)},
		{`"` + strings.Repeat("x", 1000) + `"`, strings.Repeat("x", 1000)},
		{`"naïve 😀"`, "naïve 😀"},
		{"\"\x7f\"", "\x7f"},
		{`"caf\u00e9"`, "café"},
		{`"\u00E9\u0000\u001f"`, "é\x00\x1f"},
		{`"\ud83d\ude00"`, "😀"},
		{`"a\/b\\c\"d\b\f\n\r\te"`, "a/b\\c\"d\b\f\n\r\te"},
		{`"\ud83d"`, "\ufffd"},
		{`"\ude00"`, "\ufffd"},
		{`"\ud83dx"`, "\ufffdx"},
		{`"\ud83d\u0041"`, "\ufffdA"},
		{`"\ud83d\ud83d\ude00"`, "\ufffd😀"},
		{`"\ud83d\n"`, "\ufffd\n"},
		{`""`, ""},
		{`null`, ""},
	} {
		t.Run(test.json, func(t *testing.T) {
			t.Parallel()
			for name, got := range map[string][]byte{
				"user":   decodeOne(t, with(`"userId":`+test.json)).UserID,
				"reason": decodeOne(t, with(`"reason" : `+test.json)).CloseReason,
				"id":     decodeOne(t, with(`"i\u0064":`+test.json)).ID,
			} {
				assert.Equal(t, test.want, string(got), name)
				assert.Equal(t, test.want == "", got == nil, name)
			}
		})
	}
}

func TestDecodeNumbers(t *testing.T) {
	t.Parallel()
	for json, want := range map[string]int64{
		"0": 0, "-0": 0, "512": 512, "512.0": 512, "5.12e2": 512, "51200E-2": 512, "512.00000000000000000000": 512,
		"9223372036854775807": 9223372036854775807, "1e18": 1e18, "0e99999999999999999999": 0, "0.0": 0,
	} {
		event := decodeOne(t, with(`"payloadSize":`+json))
		assert.Equal(t, want, event.PayloadSize, json)
		assert.True(t, event.HasPayloadSize, json)
	}
	for json, want := range map[string]int64{"1000": 1000, "65535": 65535, "0": 0, "1.006e3": 1006} {
		event := decodeOne(t, with(`"code":`+json))
		assert.Equal(t, want, event.CloseCode, json)
		assert.True(t, event.HasCloseCode, json)
	}
	event := decodeOne(t, with(`"payloadSize":null,"code":null`))
	assert.False(t, event.HasPayloadSize || event.HasCloseCode)

	event = decodeOne(t, `{"type":"message.send","timestamp":1,"channelId":42,"userId":0,"id":123456789012345678901234567890}`)
	assert.Equal(t, "42", string(event.ChannelID))
	assert.Equal(t, "0", string(event.UserID))
	assert.Equal(t, "123456789012345678901234567890", string(event.ID))
}

func TestDecodeTypes(t *testing.T) {
	t.Parallel()
	for json, want := range map[string]Type{
		`"connection.open"`: ConnectionOpen, `"connection.close"`: ConnectionClose,
		`"message.send"`: MessageSend, `"message.receive"`: MessageReceive, `"message\u002Ereceive"`: MessageReceive,
	} {
		assert.Equal(t, want, decodeOne(t, `{"timestamp":1,"channelId":"c","type":`+json+`}`).Type, json)
	}
}

func TestDecodeIgnores(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"unread keys, twice":        with(`"a":1,"a":2`),
		"field's key further down":  with(`"a":{"type":"x","tenantId":5,"channelId":null},"b":[{"type":1,"type":2}]`),
		"all of JSON":               with(` "a" : [ true , false , null , -0.5e-3 , "\u00e9" , { } , [ ] , { "b" : [ [ 1 ] , { "c" : { } } ] } ] `),
		"64 levels":                 with(`"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63)),
		"empty key":                 with(`"":1,"":2`),
		"long key":                  with(`"` + strings.Repeat("x", 1000) + `":1`),
		"key with escapes":          with(`"a\n\u0041":1`),
		"key that is not ASCII":     with(`"clé":1`),
		"path as a key":             with(`"data.id":1`),
		"capitals in a field's key": with(`"TYPE":1,"Id":[]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decode(t, frame+"\n"+frame+"\n"+good+"\n"+frame)
			assert.Empty(t, got.violations)
			require.Len(t, got.events, 4)
			assert.Equal(t, "ch-1", string(got.events[3].ChannelID))
			assert.Equal(t, "eu", string(got.events[3].Region))
		})
	}
}

// TestDecodeManyKeys is that keys are read right when more of them come than are
// remembered, in any order.
func TestDecodeManyKeys(t *testing.T) {
	t.Parallel()
	d := newDecoder(t, DefaultFields())
	for i := range 200 {
		c := &collector{}
		key := strings.Repeat("k", i+1)
		nested := `"` + key + `":{"` + key + `":{"channelId":"no"},"channelId":"no"}`
		d.Decode([]byte(`{`+nested+`,`+head+`,"channel":1,`+nested+`,"userId":"u"}`), c)
		require.Empty(t, c.violations)
		assert.Equal(t, "ch-1", string(c.events[0].ChannelID))
		assert.Equal(t, "u", string(c.events[0].UserID))
	}
}

func TestDecodeSnakeCase(t *testing.T) {
	t.Parallel()
	got := decodeOne(t, `{"type":"message.send","timestamp":1,"channel_id":"c","user_id":"u","tenant_id":"t",`+
		`"region":"r","channel_type":"v","payload_size":5,"id":"e","close_code":"not read","close_reason":5}`)
	got.Raw = nil
	assert.Equal(t, Event{
		Type: MessageSend, Time: 1e9, ChannelID: []byte("c"), UserID: []byte("u"), ID: []byte("e"), TenantID: []byte("t"),
		Region: []byte("r"), ChannelType: []byte("v"), PayloadSize: 5, HasPayloadSize: true,
	}, got)
}

// TestDecodeAliases is that text without escapes is not copied.
func TestDecodeAliases(t *testing.T) {
	t.Parallel()
	frame := []byte(with(`"userId":"u-1","reason":"\u00e9"`))
	within := func(text []byte) bool {
		from := uintptr(unsafe.Pointer(unsafe.SliceData(frame)))
		at := uintptr(unsafe.Pointer(unsafe.SliceData(text)))
		return at >= from && at < from+uintptr(len(frame))
	}
	newDecoder(t, DefaultFields()).Decode(frame, sinkFunc(func(e *Event) {
		assert.True(t, within(e.UserID) && within(e.ChannelID) && within(e.TenantID) && within(e.Raw))
		assert.False(t, within(e.CloseReason))
		for _, text := range [][]byte{e.UserID, e.TenantID, e.CloseReason} {
			assert.Equal(t, len(text), cap(text), "appending would write over what follows")
		}
	}))
}

type sinkFunc func(*Event)

func (f sinkFunc) Event(e *Event) { f(e) }
func (sinkFunc) Ignored()         {}

func (f sinkFunc) Violation(*Violation) {}

func TestDecodeAllocatesNothing(t *testing.T) {
	frame := []byte("[" + strings.Join(shuffled(messages(100, `"2024-05-13T18:03:20.123Z"`)), ",") + "]\n" +
		with(`"userId":"caf\u00e9","more":{"a":[1,2]}`))
	d, sink := newDecoder(t, DefaultFields()), &tally{}
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Decode(frame, sink) }))
	assert.Zero(t, sink.violations)
}
