// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"
)

// encoder writes events as the JSON objects of the platform's frames. What an
// event shares with others of its series is written once, up front: at full
// speed the simulator must cost less than what it feeds.
type encoder struct {
	series    []Series
	tails     [][]byte // by series: the dimensions
	timestamp TimestampForm
}

func newEncoder(series []Series, timestamp TimestampForm) *encoder {
	e := &encoder{series: series, tails: make([][]byte, len(series)), timestamp: timestamp}
	for i, s := range series {
		tail := append([]byte(`","region":`), quoted(s.Region)...)
		tail = append(append(tail, `,"tenantId":`...), quoted(s.TenantID)...)
		e.tails[i] = append(append(tail, `,"channelType":`...), quoted(s.ChannelType)...)
	}
	return e
}

// encode appends the frames of a batch.
func (e *encoder) encode(c *chunk, b *batch, t *Trouble) {
	from := 0
	for _, f := range b.frames {
		e.frame(c, f.form, b.items[from:f.end], b.times[from:f.end], t)
		from = f.end
	}
}

func (e *encoder) frame(c *chunk, form FrameForm, items []item, times []int64, t *Trouble) {
	var separator, end []byte
	start := c.begin()
	switch form {
	case FrameArray:
		c.bytes = append(c.bytes, '[')
		separator, end = []byte(","), []byte("]")
	case FrameLines:
		separator = []byte("\n")
	}
	operation := opText
	for n := range items {
		if n > 0 {
			c.bytes = append(c.bytes, separator...)
		}
		c.bytes = e.item(c.bytes, &items[n], times[n], t)
		if items[n].malformed == binaryFrame {
			operation = opBinary
		}
	}
	c.bytes = append(c.bytes, end...)
	c.finish(start, operation)
}

// event appends one event, with the time (unix nanoseconds) the platform claims
// for it.
func (e *encoder) event(to []byte, ev *event, stamp int64) []byte {
	to = append(to, `{"type":"`...)
	to = append(to, ev.kind.String()...)
	to = append(to, `","timestamp":`...)
	to = e.stamp(to, stamp)
	to = append(to, `,"channelId":"`...)
	to = appendUUID(to, ev.channel)
	to = append(to, `","userId":"`...)
	to = appendUser(to, ev.user)
	to = append(to, e.tails[ev.series]...)
	switch ev.kind {
	case messageSend, messageReceive:
		to = append(to, `,"payloadSize":`...)
		to = strconv.AppendInt(to, int64(ev.payload), 10)
	case connectionClose:
		to = append(to, `,"code":`...)
		to = strconv.AppendInt(to, int64(ev.ending.code), 10)
		to = append(to, `,"reason":"`...)
		to = append(to, ev.ending.reason...)
		to = append(to, '"')
	}
	to = append(to, `,"id":"`...)
	to = appendUUID(to, ev.id)
	return append(to, `"}`...)
}

func (e *encoder) stamp(to []byte, stamp int64) []byte {
	switch e.timestamp {
	case TimestampSeconds:
		return strconv.AppendInt(to, stamp/1e9, 10)
	case TimestampMicroseconds:
		return strconv.AppendInt(to, stamp/1e3, 10)
	case TimestampNanoseconds:
		return strconv.AppendInt(to, stamp, 10)
	case TimestampRFC3339:
		return time.Unix(0, stamp).UTC().AppendFormat(to, `"2006-01-02T15:04:05.000Z07:00"`)
	default:
		return strconv.AppendInt(to, stamp/1e6, 10)
	}
}

// appendISO writes a time (unix nanoseconds) as ISO 8601, to the millisecond.
func appendISO(to []byte, at int64) []byte {
	return time.Unix(0, at).UTC().AppendFormat(to, "2006-01-02T15:04:05.000Z")
}

// appendUUID writes an identity as a version 4 UUID.
func appendUUID(to []byte, id identity) []byte {
	first, second := hex8(uint32(id.high>>32)), hex8(uint32(id.high&^0xf000|0x4000))
	third, fourth := hex8(uint32(id.low>>32&^(0b11<<30)|0b10<<30)), hex8(uint32(id.low))
	to = binary.BigEndian.AppendUint64(to, first)
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(second>>32))
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(second))
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(third>>32))
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(third))
	return binary.BigEndian.AppendUint64(to, fourth)
}

// appendUser writes a user's id, 12 hex digits.
func appendUser(to []byte, user uint64) []byte {
	to = binary.BigEndian.AppendUint64(to, hex8(uint32(user)))
	return binary.BigEndian.AppendUint32(to, uint32(hex8(uint32(user>>32))))
}

// hex8 is a number in 8 hex digits, the first in the highest byte. Ids are two
// thirds of what an event costs to encode, so all digits are made at once: each
// nibble is spread to a byte of its own, then lifted to '0' or to 'a' - 10.
func hex8(number uint32) uint64 {
	const ones = 0x0101010101010101
	spread := uint64(number)
	spread = spread&0xffff0000<<16 | spread&0xffff
	spread = spread&0x0000ff000000ff00<<8 | spread&0x000000ff000000ff
	spread = spread&0x00f000f000f000f0<<4 | spread&0x000f000f000f000f
	letters := (spread + 6*ones) >> 4 & ones
	return spread + '0'*ones + letters*('a'-10-'0')
}

// quoted is a string as JSON.
func quoted(s string) []byte {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return encoded
}
