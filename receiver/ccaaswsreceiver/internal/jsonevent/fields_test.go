// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFields(t *testing.T) {
	t.Parallel()
	const envelope = `{"v":1,"data":{"kind":"message.send","when":"2024-05-13T18:03:20Z","case":{"id":"c-1","tags":[["x","y"],["z"]]}},` +
		`"participants":[{"id":"p-0"},{"id":"p-1","region":"eu"}]}`
	fields := DefaultFields()
	fields.Type, fields.Timestamp, fields.ChannelID = "data.kind", "data.when", "data.case.id"
	fields.UserID, fields.Region = "participants[0].id", "participants[1].region"
	fields.TenantID, fields.ChannelType, fields.ID = "data.case.tags[0][1]", "data.case.tags[1][0]", "data.case.id"

	c := &collector{}
	newDecoder(t, fields).Decode([]byte("["+envelope+","+envelope+"]"), c)
	require.Empty(t, c.violations)
	require.Len(t, c.events, 2)
	assert.Equal(t, Event{
		Type: MessageSend, Time: 1715623400e9, ChannelID: []byte("c-1"), UserID: []byte("p-0"), ID: []byte("c-1"),
		TenantID: []byte("y"), Region: []byte("eu"), ChannelType: []byte("z"), Raw: []byte(envelope),
	}, c.events[1])
}

func TestFieldsRemapped(t *testing.T) {
	t.Parallel()
	const required = `"type":"message.send","timestamp":1,`
	for _, test := range []struct {
		name  string
		remap func(*Fields)
		frame string
		want  string // user and channel, or the violation
	}{
		{"read only there", func(f *Fields) { f.UserID = "agent" }, `{` + required + `"channelId":"c","userId":"no","user_id":5,"agent":"u"}`, "u c"},
		{"default spelled out in snake case", func(f *Fields) { f.UserID = "user_id" }, `{` + required + `"channelId":"c","userId":5,"user_id":"u"}`, "u c"},
		{"not sent", func(f *Fields) { f.UserID = "" }, `{` + required + `"channelId":"c","userId":5}`, " c"},
		{"one place for two", func(f *Fields) { f.ChannelID = "id" }, `{` + required + `"id":"c","channelId":5}`, " c"},
		{"one place for two, wrong", func(f *Fields) { f.ChannelID = "id" }, `{` + required + `"id":[]}`, "wrong_type"},
		{"other's snake case", func(f *Fields) { f.ChannelID = "user_id" }, `{` + required + `"user_id":"c","userId":"u"}`, "u c"},
		{"inside other's snake case", func(f *Fields) { f.ChannelID = "user_id.x" }, `{` + required + `"user_id":{"x":"c"},"userId":"u"}`, "u c"},
		{"key that is not ASCII", func(f *Fields) { f.UserID = "clé" }, `{` + required + `"channelId":"c","clé":"u"}`, "u c"},
		{"key that is escaped", func(f *Fields) { f.UserID = "clé" }, `{` + required + `"channelId":"c","cl\u00e9":"u"}`, "u c"},
		{"field twice, by its way", func(f *Fields) { f.UserID = "a.b" }, `{` + required + `"channelId":"c","a":{"b":"u"},"a":{"b":"u"}}`, "duplicate_key"},
		{"field twice, in one", func(f *Fields) { f.UserID = "a.b" }, `{` + required + `"channelId":"c","a":{"b":"u","b":"u"}}`, "duplicate_key"},
		{"nothing on the way", func(f *Fields) { f.UserID = "a.b" }, `{` + required + `"channelId":"c","a":null}`, " c"},
		{"something else on the way", func(f *Fields) { f.UserID = "a.b" }, `{` + required + `"channelId":"c","a":[1]}`, " c"},
		{"object for an array", func(f *Fields) { f.UserID = "a[0]" }, `{` + required + `"channelId":"c","a":{"0":5}}`, " c"},
		{"array too short", func(f *Fields) { f.UserID = "a[1]" }, `{` + required + `"channelId":"c","a":[5]}`, " c"},
		{"array longer", func(f *Fields) { f.UserID = "a[1]" }, `{` + required + `"channelId":"c","a":[ 5 , "u" , 6 ] }`, "u c"},
		{"empty array", func(f *Fields) { f.UserID = "a[0]" }, `{` + required + `"channelId":"c","a":[ ]}`, " c"},
		{"array not closed", func(f *Fields) { f.UserID = "a[0]" }, `{` + required + `"channelId":"c","a":["u"`, "not_json"},
		{"array without comma", func(f *Fields) { f.UserID = "a[0]" }, `{` + required + `"channelId":"c","a":["u" 1]}`, "not_json"},
		{"array with comma at the end", func(f *Fields) { f.UserID = "a[0]" }, `{` + required + `"channelId":"c","a":["u",]}`, "not_json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fields, c := DefaultFields(), &collector{}
			test.remap(&fields)
			d := newDecoder(t, fields)
			for range 2 {
				d.Decode([]byte(test.frame), c)
			}
			for _, v := range c.violations {
				assert.Equal(t, test.want, v.Reason, v.Detail)
			}
			for _, e := range c.events {
				assert.Equal(t, test.want, string(e.UserID)+" "+string(e.ChannelID))
			}
			assert.Equal(t, 2, len(c.events)+len(c.violations))
		})
	}
}

func TestFieldsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set  func(*Fields)
		want string
	}{
		{func(f *Fields) { f.ChannelID = "a..b" }, `fields::channel_id: "a..b": empty step`},
		{func(f *Fields) { f.UserID = "a." }, `fields::user_id: "a.": empty step`},
		{func(f *Fields) { f.TenantID = ".a" }, `fields::tenant_id: ".a": empty step`},
		{func(f *Fields) { f.Region = "a.[0]" }, `fields::region: "a.[0]": an index without a key before it`},
		{func(f *Fields) { f.ChannelType = "a[]" }, `fields::channel_type: "a[]": "a[]": an index is [0] to [65535]`},
		{func(f *Fields) { f.ChannelType = "a[x].b" }, `fields::channel_type: "a[x].b": "a[x]": an index is [0] to [65535]`},
		{func(f *Fields) { f.ChannelType = "a[-1]" }, `fields::channel_type: "a[-1]": "a[-1]": an index is [0] to [65535]`},
		{func(f *Fields) { f.ChannelType = "a[65536]" }, `an index is [0] to [65535]`},
		{func(f *Fields) { f.ChannelType = "a[1" }, `an index is [0] to [65535]`},
		{func(f *Fields) { f.PayloadSize = "a[1]b" }, `fields::payload_size: "a[1]b": "a[1]b": a dot belongs after an index`},
		{func(f *Fields) { f.ID = "a\"b" }, `fields::id: "a\"b": a key with quotes, backslashes or control characters cannot be read`},
		{func(f *Fields) { f.ID = "a\xff" }, `fields::id: "a\xff": not UTF-8`},
		{func(f *Fields) { f.Type = "" }, `fields::type: "": no event is without it, so it needs a path`},
		{func(f *Fields) { f.Timestamp = "" }, `fields::timestamp: "": no event is without it, so it needs a path`},
		{func(f *Fields) { f.ChannelID = "" }, `fields::channel_id: "": no event is without it, so it needs a path`},
		{func(f *Fields) { f.CloseCode = strings.Repeat("a.", 64) + "a" }, `deeper than 64 steps`},
		{func(f *Fields) { f.CloseReason = "type.a" }, `fields::close_reason: "type.a": fields::type reads a value at "type", so nothing can be read inside it`},
		{func(f *Fields) { f.CloseReason = "type[0]" }, `fields::close_reason: "type[0]": fields::type reads a value at "type", so nothing can be read inside it`},
		{func(f *Fields) { f.ChannelID, f.UserID = "a.b", "a" }, `fields::user_id: "a": a value is read here, but another field is read inside it`},
	} {
		fields := DefaultFields()
		test.set(&fields)
		_, err := NewDecoder(fields)
		assert.ErrorContains(t, err, test.want)
	}
}

// A value that cannot be read in a field that the event can be without is dropped
// alone, and the event counts.
func TestDecode_OptionalFields(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		members string
		size    int64 // -1: none
		code    int64 // -1: none
		errors  []string
	}{
		{`"code":"1006","payloadSize":"512"`, 512, 1006, nil},
		{`"code":1006.0,"payloadSize":512.0`, 512, 1006, nil},
		{`"code":1.006e3,"payloadSize":1e3`, 1000, 1006, nil},
		{`"code":"1006.0","payloadSize":"1e3"`, 1000, 1006, nil},
		{`"code":" 1006 ","payloadSize":"0512"`, 512, 1006, nil},
		{`"payload_size":"5\u0031\u0032"`, 512, -1, nil},
		{`"code":"","payloadSize":""`, -1, -1, nil},
		{`"code":null,"payloadSize":null,"userId":null`, -1, -1, nil},
		{`"payloadSize":512.7`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":"512.7"`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":"abc","code":"abc"`, -1, -1, []string{"payload_size", "close_code"}},
		{`"payloadSize":"512 bytes"`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":"+512"`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":"0x200"`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":"NaN"`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":-1,"code":-1`, -1, -1, []string{"payload_size", "close_code"}},
		{`"payloadSize":"-1","code":"-1"`, -1, -1, []string{"payload_size", "close_code"}},
		{`"payloadSize":1e-999999999999999999`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":9223372036854775808`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":"18446744073709551616"`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":1e20`, -1, -1, []string{"payload_size"}},
		{`"payloadSize":true,"code":false`, -1, -1, []string{"payload_size", "close_code"}},
		{`"payload_size":{},"code":[1006]`, -1, -1, []string{"payload_size", "close_code"}},
		{`"code":65536`, -1, -1, []string{"close_code"}},
		{`"code":"1000.5"`, -1, -1, []string{"close_code"}},
		{`"userId":[],"id":true,"reason":{}`, -1, -1, []string{"user_id", "id", "close_reason"}},
		{`"userId":-5,"id":1.5`, -1, -1, []string{"user_id", "id"}},
	} {
		for _, kind := range []string{"connection.close", "message.send"} {
			got := decodeOne(t, strings.Replace(with(test.members), "message.send", kind, 1))
			assert.Equal(t, test.errors, got.FieldErrors.Names(), test.members)
			assert.Equal(t, []any{test.size >= 0, max(test.size, 0)}, []any{got.HasPayloadSize, got.PayloadSize}, test.members)
			assert.Equal(t, []any{test.code >= 0, max(test.code, 0)}, []any{got.HasCloseCode, got.CloseCode}, test.members)
			assert.Equal(t, []string{"ch-1", "acme", "eu", "voice"},
				[]string{string(got.ChannelID), string(got.TenantID), string(got.Region), string(got.ChannelType)}, test.members)
			assert.Empty(t, got.UserID)
		}
	}
	got := decodeOne(t, `{`+head+`,"tenantId":12345,"region":false,"channelType":{}}`)
	assert.Equal(t, []string{"region", "channel_type"}, got.FieldErrors.Names())
	assert.Equal(t, "12345", string(got.TenantID))
	assert.Empty(t, got.Region)
	assert.Empty(t, got.ChannelType)
}

func TestDecode_NumbersAsNames(t *testing.T) {
	t.Parallel()
	got := decodeOne(t, `{"type":"message.send","timestamp":1,"channelId":12345,"tenantId":7,"userId":42.0,"id":1e3,"region":1,"channelType":2,"reason":3}`)
	for want, value := range map[string][]byte{
		"12345": got.ChannelID, "7": got.TenantID, "42": got.UserID, "1000": got.ID, "1": got.Region, "2": got.ChannelType, "3": got.CloseReason,
	} {
		assert.Equal(t, want, string(value))
	}
	assert.Zero(t, got.FieldErrors)
}

// The same holds for fields at configured paths, for fields of several paths, and in
// JSON that is text.
func TestDecode_OptionalFieldsAtPaths(t *testing.T) {
	t.Parallel()
	fields := DefaultFields()
	fields.PayloadSize, fields.CloseCode, fields.UserID, fields.Region = "size.bytes", "a.code || b.code", "content|json.user", "x || y"
	d, err := NewMapped(fields, nil)
	require.NoError(t, err)
	for members, want := range map[string]Event{
		`"size":{"bytes":"512"},"b":{"code":"1006"},"content":"{\"user\":5.0}"`:        {PayloadSize: 512, HasPayloadSize: true, CloseCode: 1006, HasCloseCode: true, UserID: []byte("5")},
		`"size":{"bytes":"abc"},"a":{"code":true},"content":"{\"user\":{}}","x":false`: {FieldErrors: PayloadSizeError | FieldErrors(closeCodeField.bit()|userIDField.bit()|regionField.bit())},
		`"size":{"bytes":-1},"a":{"code":1.5},"b":{"code":1000}`:                       {FieldErrors: PayloadSizeError | FieldErrors(closeCodeField.bit())},
		`"size":{},"a":{"code":null},"b":{"code":1001.0}`:                              {CloseCode: 1001, HasCloseCode: true},
	} {
		c := &collector{}
		d.Decode([]byte(`{"type":"connection.close","timestamp":1,"channelId":"c",`+members+`}`), c)
		require.Len(t, c.events, 1, "%s %+v", members, c.violations)
		want.Type, want.Time, want.ChannelID, want.Raw = ConnectionClose, 1e9, []byte("c"), c.events[0].Raw
		assert.Equal(t, want, c.events[0], members)
	}

	fields = DefaultFields()
	fields.ChannelID = "a || b"
	d, err = NewMapped(fields, nil)
	require.NoError(t, err)
	c := &collector{}
	d.Decode([]byte(`{"type":"connection.close","timestamp":1,"a":true}`), c)
	require.Len(t, c.violations, 1, "a channel is never a boolean")
	assert.Equal(t, "wrong_type", c.violations[0].Reason)
}

// Without values, a violation's detail names the field alone.
func TestDecode_OmitValues(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{
		`{` + head + `,"timestamp":"x"}`, `{"type":"Jane Roe","timestamp":1,"channelId":"c"}`, `{"type":"message.send","timestamp":"Jane Roe","channelId":"c"}`,
		`"Jane Roe"`, `{"type":"message.send","timestamp":1,"channelId":["Jane Roe"]}`, `{"a":Jane Roe}`, `{"type":{"a":"Jane Roe"}}`,
	} {
		d, c := newDecoder(t, DefaultFields()), &collector{}
		d.OmitValues()
		d.Decode([]byte(piece), c)
		require.Len(t, c.violations, 1, piece)
		assert.NotContains(t, c.violations[0].Detail, "Jane")
		assert.NotEmpty(t, c.violations[0].Detail)
	}
}
