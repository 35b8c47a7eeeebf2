// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// malformation is a way in which a frame, or an object in it, is no event.
type malformation uint8

const (
	wellFormed malformation = iota
	// These are frames of their own, because they would spoil their neighbours.
	notJSON
	truncated
	invalidUTF8
	tooDeep
	binaryFrame
	frameTooLarge
	nulBytes
	// These are objects among others, which must survive them.
	duplicateKey
	wrongType
	missingType
	unknownType
	missingChannelID
	missingTimestamp
	badTimestamp
	malformations
)

func (m malformation) alone() bool { return m > wellFormed && m < duplicateKey }

func (m malformation) String() string {
	return [malformations]string{
		"well_formed", "not_json", "truncated", "invalid_utf8", "too_deep", "binary_frame", "frame_too_large", "nul_bytes",
		"duplicate_key", "wrong_type", "missing_type", "unknown_type", "missing_channel_id", "missing_timestamp", "bad_timestamp",
	}[m]
}

// MalformedKinds are the names of all kinds of malformed frames and objects.
func MalformedKinds() []string {
	names := make([]string, 0, malformations)
	for m := notJSON; m < malformations; m++ {
		names = append(names, m.String())
	}
	return names
}

func parseMalformation(name string) (malformation, error) {
	at := slices.Index(MalformedKinds(), name)
	if at < 0 {
		return wellFormed, fmt.Errorf("unknown kind %q, want one of %s", name, strings.Join(MalformedKinds(), ", "))
	}
	return notJSON + malformation(at), nil
}

// item appends an item: an event as it should be, or a malformed one.
func (e *encoder) item(to []byte, i *item, happened int64, t *Trouble) []byte {
	happened = t.stamp(e.series[i.event.series].Region, happened)
	if i.malformed == wellFormed {
		return e.event(to, &i.event, happened)
	}
	good := e.event(nil, &i.event, happened)
	if i.malformed.alone() {
		return append(to, spoilFrame(good, i, t.OversizedBytes)...)
	}
	return append(to, spoilObject(good, i, e.stamp(nil, happened))...)
}

// spoilFrame makes a well-formed frame of any API malformed. Where a kind has
// several faces, the event's id chooses one, so that a seed repeats them.
func spoilFrame(good []byte, i *item, oversized int) []byte {
	with := func(field string) []byte { return bytes.Replace(good, []byte("{"), []byte("{"+field+","), 1) }
	switch i.malformed {
	case notJSON:
		return []byte(choose(i, `<html><body>502 Bad Gateway</body></html>`, `hello`, `{type:message.send}`, `{"type":"message.send",}`))
	case truncated:
		return good[:len(good)*2/3]
	case invalidUTF8:
		return with("\"invalid\":\"\xff\xfe\xc3(\"")
	case tooDeep:
		return with(`"extra":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
	case binaryFrame:
		return []byte{0x08, 0x96, 0x01, 0x12, 0x07, 0xff, 0x00, 0xfe, byte(i.event.id.low), 0x1a}
	case frameTooLarge:
		return with(`"padding":"` + strings.Repeat("x", oversized) + `"`)
	default: // nulBytes
		return append([]byte{0, 0}, good...)
	}
}

// spoilObject makes an object of a realtime events frame malformed.
func spoilObject(good []byte, i *item, stamp []byte) []byte {
	field := func(name, value, with string) []byte {
		return bytes.Replace(good, []byte(`"`+name+`":`+value), []byte(with), 1)
	}
	kind := i.event.kind.String()
	channel := `"` + string(appendUUID(nil, i.event.channel)) + `"`
	switch i.malformed {
	case duplicateKey:
		return field("type", `"`, `"type":"`+kind+`","type":"`)
	case wrongType:
		return choose(i, field("type", `"`+kind+`"`, `"type":42`), field("channelId", channel, `"channelId":{"id":1}`))
	case missingType:
		return field("type", `"`+kind+`",`, ``)
	case unknownType:
		return field("type", `"`+kind, `"type":"connection.teleport`)
	case missingChannelID:
		return choose(i, field("channelId", channel+`,`, ``), field("channelId", channel, `"channelId":""`))
	case missingTimestamp:
		return field("timestamp", string(stamp)+`,`, ``)
	default: // badTimestamp
		return field("timestamp", string(stamp), `"timestamp":`+choose(i, `null`, `-1`, `"9999-12-31T23:59:59Z"`, `"yesterday"`, `true`))
	}
}

func choose[T any](i *item, faces ...T) T { return faces[i.event.id.low%uint64(len(faces))] }
