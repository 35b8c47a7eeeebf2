// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sent is an event as encoding/json writes and reads it.
type sent struct {
	Extra       any     `json:"extra,omitempty"`
	Type        string  `json:"type"`
	Timestamp   any     `json:"timestamp"`
	ChannelID   string  `json:"channelId"`
	UserID      *string `json:"userId,omitempty"`
	Region      string  `json:"region,omitempty"`
	TenantID    string  `json:"tenantId,omitempty"`
	ChannelType string  `json:"channelType"`
	PayloadSize *int64  `json:"payloadSize"`
	More        any     `json:"more,omitempty"`
	ID          string  `json:"id,omitempty"`
	Code        *int64  `json:"code,omitempty"`
	Reason      string  `json:"reason,omitempty"`
}

var typeNames = []string{"connection.open", "connection.close", "message.send", "message.receive"}

// TestRoundTrip is that what encoding/json writes is read as it was meant.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	d := newDecoder(t, DefaultFields())
	for range 2_000 {
		var want []Event
		var objects []string
		for range random.IntN(5) {
			event, encoded := randomEvent(t, random)
			want, objects = append(want, event), append(objects, encoded)
		}
		frame := strings.Join(objects, "\n")
		if random.IntN(2) == 0 {
			frame = "[" + strings.Join(objects, ",") + "]"
		}
		c := &collector{}
		d.Decode([]byte(frame), c)
		require.Empty(t, c.violations, frame)
		for i := range c.events {
			require.JSONEq(t, objects[i], string(c.events[i].Raw))
			c.events[i].Raw = nil
		}
		require.Equal(t, want, c.events, frame)
	}
}

func randomEvent(t *testing.T, random *rand.Rand) (Event, string) {
	t.Helper()
	text := func() string {
		runes := []rune(`abcdefghijk 0123456789-_"\/<>&'` + "\b\n\t\x00\x1f\x7fé漢😀\u2028\ufffd")
		s := make([]rune, random.IntN(40))
		for i := range s {
			s[i] = runes[random.IntN(len(runes))]
		}
		return string(s)
	}
	bytesOf := func(s string) []byte {
		if s == "" {
			return nil
		}
		return []byte(s)
	}
	kind := random.IntN(len(typeNames))
	s := sent{
		Type: typeNames[kind], ChannelID: "c" + text(), Region: text(), TenantID: text(), ChannelType: text(), ID: text(), Reason: text(),
		More: []any{text(), random.NormFloat64(), map[string]any{text(): nil, "type": true}},
	}
	if random.IntN(2) == 0 {
		s.Extra = map[string]any{text(): text()}
	}
	event := Event{
		Type: Type(kind), ChannelID: []byte(s.ChannelID), Region: bytesOf(s.Region), TenantID: bytesOf(s.TenantID),
		ChannelType: bytesOf(s.ChannelType), ID: bytesOf(s.ID), CloseReason: bytesOf(s.Reason),
	}
	if user := text(); random.IntN(2) == 0 {
		s.UserID, event.UserID = &user, bytesOf(user)
	}
	if size := random.Int64(); random.IntN(2) == 0 {
		s.PayloadSize, event.PayloadSize, event.HasPayloadSize = &size, size, true
	}
	if code := random.Int64N(65_536); random.IntN(2) == 0 {
		s.Code, event.CloseCode, event.HasCloseCode = &code, code, true
	}
	at := random.Int64N(9e18-2e17) + 2e17
	switch random.IntN(6) {
	case 0:
		s.Timestamp, event.Time = at/1e9, at/1e9*1e9
	case 1:
		s.Timestamp, event.Time = at/1e6, at/1e6*1e6
	case 2:
		s.Timestamp, event.Time = at/1e3, at/1e3*1e3
	case 3:
		s.Timestamp, event.Time = at, at
	case 4:
		s.Timestamp, event.Time = strconv.FormatInt(at, 10), at
	default:
		s.Timestamp, event.Time = time.Unix(0, at).In(time.FixedZone("", random.IntN(1000)*60)), at
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(random.IntN(2) == 0)
	if random.IntN(4) == 0 {
		encoder.SetIndent("", " ")
	}
	require.NoError(t, encoder.Encode(s))
	return event, strings.TrimSpace(encoded.String())
}

// reference reads one object, slowly, with encoding/json: nil is no event, for
// whatever reason.
func reference(object []byte) *Event {
	if !json.Valid(object) || !utf8.Valid(object) {
		return nil
	}
	members, depth, err := walk(object)
	if err != nil || depth > maxDepth {
		return nil
	}
	r := referenceEvent{members: members}
	event := &Event{Raw: object}
	for i, name := range typeNames {
		if r.members["type"] == name {
			event.Type = Type(i)
			r.hasType = true
		}
	}
	event.Time = r.time("timestamp")
	event.ChannelID = r.text("channelId", true)
	event.TenantID = r.text("tenantId", true)
	for f, name := range map[field]string{userIDField: "userId", idField: "id", regionField: "region", channelTypeField: "channelType", closeReasonField: "reason"} {
		*event.text(f) = r.optional(f, name)
	}
	event.PayloadSize, event.HasPayloadSize = r.integer(payloadSizeField, "payloadSize", 1<<63-1)
	event.CloseCode, event.HasCloseCode = r.integer(closeCodeField, "code", 65_535)
	event.FieldErrors = r.dropped
	if r.wrong || !r.hasType || event.ChannelID == nil {
		return nil
	}
	return event
}

type referenceEvent struct {
	members map[string]any
	hasType bool
	wrong   bool
	dropped FieldErrors
}

func (r *referenceEvent) optional(f field, name string) []byte {
	one := referenceEvent{members: r.members}
	text := one.text(name, true)
	if one.wrong {
		r.dropped |= FieldErrors(f.bit())
	}
	return text
}

func (r *referenceEvent) text(name string, numbers bool) []byte {
	switch value := r.members[name].(type) {
	case nil:
	case string:
		if value != "" {
			return []byte(value)
		}
	case json.Number:
		r.wrong = r.wrong || !numbers || strings.HasPrefix(value.String(), "-")
		switch exact, ok := rational(value); {
		case r.wrong:
		case !strings.ContainsAny(value.String(), ".eE"):
			return []byte(value)
		case ok && exact.IsInt() && exact.Num().IsInt64():
			return []byte(exact.Num().String())
		default:
			r.wrong = true
		}
	default:
		r.wrong = true
	}
	return nil
}

func (r *referenceEvent) integer(f field, name string, most int64) (int64, bool) {
	value, isNumber := r.members[name].(json.Number)
	switch text, isText := r.members[name].(string); {
	case r.members[name] == nil || isText && strings.TrimSpace(text) == "":
		return 0, false
	case isText:
		text = strings.TrimSpace(text)
		unsigned := strings.TrimPrefix(text, "-")
		for len(unsigned) > 1 && unsigned[0] == '0' && isDigit(unsigned[1]) {
			unsigned = unsigned[1:]
		}
		isNumber = json.Valid([]byte(unsigned)) && isDigit(unsigned[0])
		value = json.Number(text[:len(text)-len(strings.TrimPrefix(text, "-"))] + unsigned)
	}
	if isNumber {
		if exact, ok := rational(value); ok && exact.IsInt() && exact.Num().IsInt64() && exact.Sign() >= 0 && exact.Num().Int64() <= most {
			return exact.Num().Int64(), true
		}
	}
	r.dropped |= FieldErrors(f.bit())
	return 0, false
}

func (r *referenceEvent) time(name string) int64 {
	switch value := r.members[name].(type) {
	case string: // FuzzTimestamp is about these
		if at, err := ParseTimestamp([]byte(value)); err == nil {
			return at
		}
	case json.Number:
		exact, ok := rational(value)
		if !ok || exact.Sign() < 0 {
			break
		}
		for _, unit := range []struct {
			below float64
			scale int64
		}{{1e11, 1e9}, {1e14, 1e6}, {1e17, 1e3}, {1e20, 1}} {
			if exact.Cmp(new(big.Rat).SetFloat64(unit.below)) < 0 {
				exact.Mul(exact, new(big.Rat).SetInt64(unit.scale))
				break
			}
		}
		if integer := new(big.Int).Quo(exact.Num(), exact.Denom()); integer.IsInt64() && integer.Sign() > 0 {
			return integer.Int64()
		}
	}
	r.wrong = true
	return 0
}

// rational is a number without rounding; math/big is not asked for numbers that
// would take all memory.
func rational(n json.Number) (*big.Rat, bool) {
	mantissa, exponent, found := strings.Cut(strings.ToLower(n.String()), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return new(big.Rat), true
	}
	if e, err := strconv.Atoi(exponent); found && (err != nil || e > 1_000 || e < -1_000) {
		if strings.HasPrefix(exponent, "-") && !strings.HasPrefix(mantissa, "-") && len(mantissa) < 900 {
			return big.NewRat(1, 1e18), true // a fraction below a nanosecond
		}
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}

// walk reads the fields of an object by their names in camel case, and how deep it
// goes. It is an error if a field is given twice.
func walk(object []byte) (members map[string]any, deepest int, err error) {
	camel := map[string]string{
		"channel_id": "channelId", "user_id": "userId", "tenant_id": "tenantId", "channel_type": "channelType", "payload_size": "payloadSize",
	}
	defaults := DefaultFields()
	read := map[string]bool{}
	for _, s := range defaults.settings() {
		read[s.path] = true
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, 0, errors.New("no object")
	}
	members = map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, 0, err
		}
		key, _ := token.(string)
		if name, ok := camel[key]; ok {
			key = name
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, 0, err
		}
		if _, twice := members[key]; twice && read[key] {
			return nil, 0, fmt.Errorf("%s twice", key)
		}
		members[key] = value
		deepest = max(deepest, depth(value))
	}
	return members, deepest + 1, nil
}

func depth(value any) (deepest int) {
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			deepest = max(deepest, depth(v))
		}
		return deepest + 1
	case []any:
		for _, v := range value {
			deepest = max(deepest, depth(v))
		}
		return deepest + 1
	}
	return 0
}

// checker checks what is promised of all frames.
type checker struct {
	t     *testing.T
	frame []byte
	calls int
}

func (c *checker) Event(e *Event) {
	c.calls++
	require.True(c.t, json.Valid(e.Raw), "%q", e.Raw)
	require.Contains(c.t, string(c.frame), string(e.Raw))
	require.Equal(c.t, reference(e.Raw), e)
}

func (*checker) Ignored() {}

func (c *checker) Violation(v *Violation) {
	c.calls++
	require.NotEmpty(c.t, v.Reason)
	require.NotEmpty(c.t, v.Raw)
	require.Contains(c.t, string(c.frame), string(v.Raw))
	require.True(c.t, v.Reason == "invalid_utf8" || utf8.ValidString(v.Detail), "%q", v.Detail)
	require.True(c.t, utf8.Valid(v.TenantID) && utf8.Valid(v.Region) && utf8.Valid(v.ChannelType))
	if v.Raw[0] == '{' && v.Reason != "not_json" {
		require.Nil(c.t, reference(v.Raw), "%s: %q", v.Detail, v.Raw)
	}
}

func FuzzDecode(f *testing.F) {
	for _, bad := range badPieces {
		if len(bad.piece) < 1_000 {
			f.Add([]byte(bad.piece))
			f.Add([]byte("[" + good + "," + bad.piece + "]\n" + good))
		}
	}
	f.Add([]byte(message(9, `"2024-05-13T18:03:20.123Z"`)))
	f.Add([]byte(with(`"userId":5.0,"payloadSize":" 0512.0 ","code":"-1","reason":true,"id":[{}]`)))
	f.Add([]byte(with(`"userId":"\ud83d\ude00\u00e9","payload_size":5.12e2,"code":1006,"reason":"é"`)))
	d := newDecoder(f, DefaultFields()) // what it learns must not matter
	other := DefaultFields()
	other.UserID, other.Region, other.ID = "data.user", "a[0].b", "channelId"
	remapped := newDecoder(f, other)
	f.Fuzz(func(t *testing.T, frame []byte) {
		original := bytes.Clone(frame)
		c := &checker{t: t, frame: frame}
		d.Decode(frame, c)
		require.LessOrEqual(t, c.calls, len(frame))
		require.Equal(t, original, frame)

		first, second := &collector{}, &collector{}
		newDecoder(t, other).Decode(frame, first)
		remapped.Decode(frame, second)
		require.Equal(t, first.events, second.events)
		require.Equal(t, first.violations, second.violations)

		if object := bytes.TrimSpace(frame); len(object) > 0 && object[0] == '{' {
			if want := reference(object); want != nil {
				only := &collector{}
				d.Decode(object, only)
				assert.Len(t, only.events, 1)
				assert.Empty(t, only.violations)
			}
		}
	})
}
