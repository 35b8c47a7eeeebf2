// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/binary"
	"encoding/hex"
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
	to = appendUUID(to, ev.user)
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

// appendUUID writes an identity as a version 4 UUID.
func appendUUID(to []byte, id identity) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], id.high&^0xf000|0x4000)
	binary.BigEndian.PutUint64(raw[8:], id.low&^(0b11<<62)|0b10<<62)
	to = append(hex.AppendEncode(to, raw[:4]), '-')
	to = append(hex.AppendEncode(to, raw[4:6]), '-')
	to = append(hex.AppendEncode(to, raw[6:8]), '-')
	to = append(hex.AppendEncode(to, raw[8:10]), '-')
	return hex.AppendEncode(to, raw[10:])
}

// quoted is a string as JSON.
func quoted(s string) []byte {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return encoded
}
