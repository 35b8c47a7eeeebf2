// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package privacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

func redactor(t testing.TB, set Settings) *Redactor {
	t.Helper()
	r, err := New(set)
	require.NoError(t, err)
	return r
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	r := redactor(t, Settings{Keep: []string{"id || [1].id", "name.kept", "content|json.Id"}, Redact: []string{"list[3].x", "data|json.y", "id.secret"}})
	event := jsonevent.Event{ID: []byte("a@b"), ChannelID: []byte("Ann Lee")}
	for in, want := range map[string]string{
		` { "state" : "connected" , "n" : 12 , "b": true, "z": null, "e": "" } `: `{"state":"connected","n":12,"b":true,"z":null,"e":""}`,
		`{"name":"x","displayName":1,"Name":["a",{"b":"c","d":true}]}`:           `{"name":"[redacted]","displayName":"[redacted]","Name":["[redacted]",{"b":"[redacted]","d":true}]}`,
		`{"name":{"kept":"Ann Lee","other":"x"}}`:                                `{"name":{"kept":"Ann Lee","other":"[redacted]"}}`,
		`{"id":"a@b","other":{"id":"a@b"}}`:                                      `{"id":"a@b","other":{"id":"[redacted]"}}`,
		`{"list":[{"x":{"y":1},"z":"w"}]}`:                                       `{"list":[{"x":{"y":"[redacted]"},"z":"w"}]}`,
		`{"data":"{\"y\":1}","content":"{\"Id\":1}"}`:                            `{"data":"[redacted]","content":"[redacted]"}`,
		`{"n\u0061me":"x","w":"a\u0040b","v":"Ann\u0020Lee","u":"a\/b"}`:         `{"n\u0061me":"[redacted]","w":"[redacted]","v":"[redacted]","u":"a\/b"}`,
		`{"w":"Smith","x":"O'Hara-Smith","y":"MessageCreated","z":"TEXT"}`:       `{"w":"[redacted]","x":"[redacted]","y":"MessageCreated","z":"[redacted]"}`,
		`{"w":"SMITH","x":"O'HARA-Smith","y":"ANN_LEE","z":"A","v":"E2E"}`:       `{"w":"[redacted]","x":"[redacted]","y":"[redacted]","z":"A","v":"E2E"}`,
		`{"type":"TEXT","state":["ON_HOLD"],"Role":"CUSTOMER","status":"Smith"}`: `{"type":"TEXT","state":["ON_HOLD"],"Role":"CUSTOMER","status":"[redacted]"}`,
		`{"id":"SMITH"}`:                 `{"id":"[redacted]"}`,
		`{"id":["Ann Lee","Smith"]}`:     `{"id":["Ann Lee","[redacted]"]}`,
		`{"id":"Smith","id":"a\u0040b"}`: `{"id":"[redacted]","id":"a\u0040b"}`,
		`{"w":"+15550100","x":"whatsapp:+15550100","y":"555-0100","z":"010"}`:     `{"w":"[redacted]","x":"[redacted]","y":"[redacted]","z":"010"}`,
		`{"w":4111111111111111,"createdAt":1775044800123,"caseId":"1234567"}`:     `{"w":"[redacted]","createdAt":1775044800123,"caseId":"1234567"}`,
		`{"chat":"1234567","items":1234567,"contentLengthBytes":1234567}`:         `{"chat":"[redacted]","items":"[redacted]","contentLengthBytes":1234567}`,
		`{"w":"2026-04-01 12:00:00","x":"2026-04-01T12:00:00.123+02:00"}`:         `{"w":"2026-04-01 12:00:00","x":"2026-04-01T12:00:00.123+02:00"}`,
		`{"w":"2026-04-01 4111 1111 1111 1111","x":"two words","y":"ünal"}`:       `{"w":"[redacted]","x":"[redacted]","y":"[redacted]"}`,
		`{"w":"3f2504e0-4f89-41d3-9a0c-000000000001","x":"visa4111111111111111"}`: `{"w":"3f2504e0-4f89-41d3-9a0c-000000000001","x":"[redacted]"}`,
		`{"+15550100":1,"a@b":2}`:                                   `{"[redacted]":1,"[redacted]":2}`,
		`{"message":"hi","messages":[{"message":{"id":"m"}},"hi"]}`: `{"message":"[redacted]","messages":[{"message":{"id":"m"}},"[redacted]"]}`,
		`{"Type":"x","attributes":{"Smith":true,"Id":true}}`:        `{"Type":"x","attributes":{"[redacted]":true,"Id":true}}`,
		`[{"id":"Ann Lee"},{"id":"Ann Lee"}]`:                       `[{"id":"Ann Lee"},{"id":"Ann Lee"}]`,
		`"word"`:                                                    `"[redacted]"`,
	} {
		for range 2 { // what was remembered changes nothing
			event.Raw = []byte(in)
			got, ok := r.Event(&event)
			require.True(t, ok, in)
			assert.Equal(t, want, string(got), in)
		}
	}
	got, ok := r.Any([]byte(`{"id":"Ann Lee"}`))
	require.True(t, ok)
	assert.JSONEq(t, `{"id":"[redacted]"}`, string(got), "what is no event has no identity")
	for _, in := range []string{``, `{`, `{"a"`, `{"a":`, `{"a":1`, `[1`, `[1,`, `{"a":1}}`, `"a`, `{"a" "b"}`, strings.Repeat("[", 70) + strings.Repeat("]", 70)} {
		_, ok := r.Any([]byte(in))
		assert.False(t, ok, in)
		_, ok = r.Event(&jsonevent.Event{Raw: []byte(in)})
		assert.False(t, ok, in)
	}
}

// TestRedact_NumbersAndTimes is that nothing else stays in its place: neither what
// the event was not read from nor, of what is no event, anything.
func TestRedact_NumbersAndTimes(t *testing.T) {
	t.Parallel()
	r := redactor(t, Settings{Numbers: []string{"size", "code"}, Times: []string{"at"}})
	event := jsonevent.Event{Time: 4_111_111_111_111_111_000, PayloadSize: 123456789, HasPayloadSize: true, CloseCode: 4001, HasCloseCode: true}
	const gone = `"[redacted]"`
	for _, test := range []struct{ key, value, ofEvent, otherwise string }{
		{"size", `512`, `512`, `512`},
		{"size", `"512"`, `"512"`, `"512"`},
		{"size", `123456789`, `123456789`, gone},
		{"size", `" 1.23456789e8 "`, `" 1.23456789e8 "`, gone},
		{"size", `4111111111111111`, gone, gone},
		{"size", `"4111111111111111"`, gone, gone},
		{"size", `"+49 170 5550199"`, gone, gone},
		{"size", `"a@b.example"`, gone, gone},
		{"size", `"SECRET"`, gone, gone},
		{"size", `"secret"`, gone, gone},
		{"size", `-5`, gone, gone},
		{"size", `1.5`, gone, gone},
		{"size", `["secret",5]`, `[` + gone + `,5]`, `[` + gone + `,5]`},
		{"size", `{"deep":["secret"]}`, `{"deep":[` + gone + `]}`, `{"deep":[` + gone + `]}`},
		{"size", `null`, `null`, `null`},
		{"code", `4001`, `4001`, `4001`},
		{"code", `"4917055501"`, gone, gone},
		{"at", `1775044800123`, `1775044800123`, `1775044800123`},
		{"at", `"1775044800.5"`, `"1775044800.5"`, `"1775044800.5"`},
		{"at", `4111111111111111`, `4111111111111111`, gone},
		{"at", `"4111111111111111"`, `"4111111111111111"`, gone},
		{"at", `"4917055501991"`, gone, gone},
		{"at", `5500005555555559`, gone, gone},
		{"at", `"2126-04-01T12:00:00.123+02:00"`, `"2126-04-01T12:00:00.123+02:00"`, `"2126-04-01T12:00:00.123+02:00"`},
		{"at", `"20260401T120000Z"`, `"20260401T120000Z"`, `"20260401T120000Z"`},
		{"at", `"2026-04-01T12:00:00.4111111111111111Z"`, gone, gone},
		{"at", `"+49 170 5550199"`, gone, gone},
		{"at", `"yesterday"`, gone, gone},
		{"at", `"SMITH"`, gone, gone},
	} {
		in := []byte(`{"` + test.key + `":` + test.value + `}`)
		event.Raw = in
		got, ok := r.Event(&event)
		require.True(t, ok)
		assert.Equal(t, `{"`+test.key+`":`+test.ofEvent+`}`, string(got))
		got, ok = r.Any(in)
		require.True(t, ok)
		assert.Equal(t, `{"`+test.key+`":`+test.otherwise+`}`, string(got), "of what is no event")
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	in := []byte(`{"userId":"u","user":{"id":"u"},"authorUser":{"id":"u"},"owner":"u"}`)
	got, _ := redactor(t, Settings{}).Event(&jsonevent.Event{Raw: in})
	assert.Equal(t, string(in), string(got))
	got, _ = redactor(t, Settings{Users: true, Redact: []string{"owner"}}).Event(&jsonevent.Event{Raw: in})
	assert.JSONEq(t, `{"userId":"[redacted]","user":{"id":"[redacted]"},"authorUser":{"id":"[redacted]"},"owner":"[redacted]"}`, string(got))
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "a..b", ".", "a[0", "a || "} {
		_, err := New(Settings{Redact: []string{path}})
		assert.Error(t, err, path)
	}
}

func TestFields_PathsIntoListOfParts(t *testing.T) {
	t.Parallel()
	in := []byte(`["e-1",{"id":"Ann Lee","w":"x"}]`)
	event := &jsonevent.Event{Raw: in, ID: []byte("Ann Lee")}
	got, _ := redactor(t, Settings{Keep: []string{"[0]", "[1].id"}}).Event(event)
	assert.JSONEq(t, `["[redacted]",{"id":"Ann Lee","w":"x"}]`, string(got))
	got, _ = redactor(t, Settings{Keep: []string{"[1].id"}, Redact: []string{"[0]"}}).Event(event)
	assert.JSONEq(t, `["[redacted]",{"id":"[redacted]","w":"[redacted]"}]`, string(got), "lists are gone through")
}

// TestKeysAreBounded is that a platform that makes up keys is not remembered for ever.
func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	r := redactor(t, Settings{})
	for n := range 3 * maxKeys {
		_, ok := r.Event(&jsonevent.Event{Raw: fmt.Appendf(nil, `{"key %d":1,"%s":1}`, n, strings.Repeat("k", maxKey+1+n%100))})
		require.True(t, ok)
	}
	assert.Len(t, r.keys.known, maxKeys)
	bytes := 0
	for key := range r.keys.known {
		bytes += len(key)
	}
	assert.LessOrEqual(t, bytes, maxKeys*maxKey)
	_, _ = r.Event(&jsonevent.Event{Raw: fmt.Appendf(nil, `{"state":%q}`, strings.Repeat(`"`, 1<<20))})
	_, _ = r.Event(&jsonevent.Event{Raw: []byte(`{"state":"a"}`)})
	assert.LessOrEqual(t, cap(r.out)+cap(r.scratch), 4*maxBuffer, "a large frame is not kept")
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := NewHasher("sixteen bytes key")
	for range 2 { // printf %s u-17 | openssl dgst -sha256 -hmac "sixteen bytes key"
		assert.Equal(t, "6852c6609d5d521e80f64b41ec3ded8f", string(h.Hash([]byte("u-17"))))
	}
	assert.NotEqual(t, NewHasher("another key").Hash([]byte("u-17")), h.Hash([]byte("u-17")))
}

// FuzzRedact is that JSON stays JSON of the same shape, and that no content comes through.
func FuzzRedact(f *testing.F) {
	for _, one := range []string{`{"text":"hello","id":"e-1","a":[1,{"name":"x"}]}`, `{"n\u0061me":"x"}`, `[1,"\ud800",{}]`, `{"a":1e9}`} {
		f.Add([]byte(one))
	}
	r := redactor(f, Settings{Keep: []string{"id"}})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, ok := r.Any(in)
		if !ok {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%q became %q", in, got)
		}
		if !bytes.ContainsAny(in, `"`) {
			return
		}
		again, ok := redactor(t, Settings{}).Any(bytes.Clone(got))
		if !ok || !bytes.Equal(again, got) {
			t.Fatalf("%q became %q, and that %q", in, got, again)
		}
	})
}
