// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/gorilla/websocket"
)

// First octets of a frame: RFC 6455, section 5.2.
const (
	final  = 0x80
	rsv1   = 0x40
	rsv2   = 0x20
	rsv3   = 0x10
	masked = 0x80 // in the second

	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// raw is a frame as a server sends it, with the length in the fewest octets.
func raw(first byte, payload string) []byte {
	frame := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		frame = append(frame, byte(n))
	case n <= 0xffff:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	return append(frame, payload...)
}

// closeFrame has a code and a reason.
func closeFrame(code int, reason string) []byte {
	return raw(final|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// conformance is what a server sends, and what the client must make of it.
type conformance struct {
	send   [][]byte
	octets bool // one at a time

	texts  []string
	pongs  []string // payloads, in this order
	reason string   // of the first violation; empty: there is none
	cause  Cause    // of the end; empty: the socket lives
	code   int      // of the client's close frame; 0: without a code, -1: none
}

// lives are cases after which the socket goes on.
func lives() map[string]conformance {
	valid := "Hello-µ@ßöäüàá-UTF-8!! κόσμε \U0010ffff"
	cut := len("Hello-\xc2") // in the middle of µ
	ends := func(frames ...[]byte) [][]byte { return frames }
	tests := map[string]conformance{
		"2.1 ping without payload":         {send: ends(raw(final|opPing, "")), pongs: []string{""}},
		"2.2 ping with text":               {send: ends(raw(final|opPing, "Hello")), pongs: []string{"Hello"}},
		"2.3 ping with octets":             {send: ends(raw(final|opPing, "\x00\xff\xfe")), pongs: []string{"\x00\xff\xfe"}},
		"2.4 ping of 125":                  {send: ends(raw(final|opPing, strings.Repeat("\xfe", 125))), pongs: []string{strings.Repeat("\xfe", 125)}},
		"2.6 ping octet by octet":          {send: ends(raw(final|opPing, strings.Repeat("\xfe", 125))), octets: true, pongs: []string{strings.Repeat("\xfe", 125)}},
		"2.7 unsolicited pong":             {send: ends(raw(final|opPong, ""))},
		"2.8 unsolicited pong, payload":    {send: ends(raw(final|opPong, "unsolicited"))},
		"2.9 unsolicited pong, then ping":  {send: ends(raw(final|opPong, "unsolicited"), raw(final|opPing, "one")), pongs: []string{"one"}},
		"2.10 pings in a row":              {send: ends(raw(final|opPing, "1"), raw(final|opPing, "2"), raw(final|opPing, "3")), pongs: []string{"1", "2", "3"}},
		"1.2 binary":                       {send: ends(raw(final|opBinary, "\x00\x01")), reason: "binary_frame"},
		"5.3 two fragments":                {send: ends(raw(opText, "frag"), raw(final|opContinuation, "ments")), texts: []string{"fragments"}},
		"5.5 fragments octet by octet":     {send: ends(raw(opText, "frag"), raw(final|opContinuation, "ments")), octets: true, texts: []string{"fragments"}},
		"5.6 ping between fragments":       {send: ends(raw(opText, "frag"), raw(final|opPing, "p"), raw(final|opContinuation, "ments")), texts: []string{"fragments"}, pongs: []string{"p"}},
		"5.7 pong between fragments":       {send: ends(raw(opText, "frag"), raw(final|opPong, "p"), raw(final|opContinuation, "ments")), texts: []string{"fragments"}},
		"6.1 empty fragments":              {send: ends(raw(opText, ""), raw(opContinuation, ""), raw(final|opContinuation, ""))},
		"6.1.3 empty around a full one":    {send: ends(raw(opText, ""), raw(opContinuation, "middle"), raw(final|opContinuation, "")), texts: []string{"middle"}},
		"6.2 UTF-8":                        {send: ends(raw(final|opText, valid)), texts: []string{valid}},
		"6.2.2 UTF-8 cut in a code point":  {send: ends(raw(opText, valid[:cut]), raw(final|opContinuation, valid[cut:])), texts: []string{valid}},
		"6.2.3 UTF-8 octet by octet":       {send: ends(raw(final|opText, valid)), octets: true, texts: []string{valid}},
		"6.3 broken UTF-8 is the reader's": {send: ends(raw(final|opText, "a\xed\xa0\x80b")), texts: []string{"a\xed\xa0\x80b"}},
		"6.4 broken UTF-8 over fragments":  {send: ends(raw(opText, "a\xf4"), raw(final|opContinuation, "\x90b")), texts: []string{"a\xf4\x90b"}},
		"length in more octets than needed": {
			send: ends(append([]byte{final | opText, 127, 0, 0, 0, 0, 0, 0, 0, 2}, "ok"...)), texts: []string{"ok"},
		},
	}
	for _, n := range []int{1, 125, 126, 127, 128, 65535, 65536} {
		payload := strings.Repeat("x", n)
		tests[fmt.Sprintf("1.1 text of %d", n)] = conformance{send: ends(raw(final|opText, payload)), texts: []string{payload}}
	}
	many := [][]byte{raw(opText, "")}
	for range 1000 {
		many = append(many, raw(opContinuation, "a"), raw(final|opPing, ""))
	}
	tests["9.4 a thousand fragments with pings"] = conformance{
		send: append(many, raw(final|opContinuation, "")), texts: []string{strings.Repeat("a", 1000)}, pongs: make([]string, 1000),
	}
	return tests
}

// fails are breaches of the protocol: the client says 1002 and leaves, and what
// came before is kept.
func fails() map[string]conformance {
	hello := raw(final|opText, "before")
	tests := map[string]conformance{
		"2.5 ping of 126":                       {send: [][]byte{hello, raw(final|opPing, strings.Repeat("x", 126))}},
		"5.1 fragmented ping":                   {send: [][]byte{hello, raw(opPing, "fr"), raw(final|opContinuation, "ag")}},
		"5.2 fragmented pong":                   {send: [][]byte{hello, raw(opPong, "fr"), raw(final|opContinuation, "ag")}},
		"5.9 opContinuation of nothing":         {send: [][]byte{hello, raw(final|opContinuation, "what")}},
		"5.10 opContinuation of nothing, open":  {send: [][]byte{hello, raw(opContinuation, "what")}},
		"5.18 text within fragments":            {send: [][]byte{hello, raw(opText, "frag"), raw(final|opText, "again")}},
		"7.9 fragmented close":                  {send: [][]byte{hello, raw(opClose, "\x03\xe8")}},
		"close of 126":                          {send: [][]byte{hello, closeFrame(1000, strings.Repeat("x", 124))}},
		"7.5 broken UTF-8 in a close frame":     {send: [][]byte{hello, closeFrame(1000, "\xce\xba\xff")}},
		"masked text":                           {send: [][]byte{hello, {final | opText, masked | 1, 1, 2, 3, 4, 'a' ^ 1}}},
		"masked ping":                           {send: [][]byte{hello, {final | opPing, masked, 1, 2, 3, 4}}},
		"3.1 RSV1, as if compressed":            {send: [][]byte{hello, raw(final|rsv1|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00")}},
		"3.2 RSV2":                              {send: [][]byte{hello, raw(final|rsv2|opText, "a")}},
		"3.3 RSV1 and RSV2, in octets":          {send: [][]byte{hello, raw(final|rsv1|rsv2|opText, "a")}, octets: true},
		"3.4 RSV3":                              {send: [][]byte{hello, raw(final|rsv3|opText, "a")}},
		"3.5 RSV on a ping":                     {send: [][]byte{hello, raw(final|rsv1|rsv3|opPing, "a")}},
		"3.6 RSV on a close":                    {send: [][]byte{hello, raw(final|rsv2|rsv3|opClose, "\x03\xe8")}},
		"RSV on a continuation":                 {send: [][]byte{hello, raw(opText, "a"), raw(final|rsv1|opContinuation, "b")}},
		"what follows a breach is not taken":    {send: [][]byte{hello, raw(final|0xb, ""), raw(final|opText, "after")}},
		"a ping that follows a breach, as well": {send: [][]byte{hello, raw(final|0x3, ""), raw(final|opPing, "after")}},
	}
	for _, opcode := range []byte{0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		tests[fmt.Sprintf("4 opcode %#x", opcode)] = conformance{send: [][]byte{hello, raw(final|opcode, "a")}}
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		tests[fmt.Sprintf("7.9 close code %d", code)] = conformance{send: [][]byte{hello, closeFrame(code, "")}}
	}
	for name, test := range tests {
		test.texts, test.reason, test.cause, test.code = []string{"before"}, "protocol_order", ProtocolError, websocket.CloseProtocolError
		tests[name] = test
	}
	for name, frames := range map[string][][]byte{
		"a length with its highest bit set":   {{final | opText, 127, 0x80, 0, 0, 0, 0, 0, 0, 1, 'a'}},
		"fragments whose lengths add to 2^63": {raw(opText, "a"), {opContinuation, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	} {
		tests[name] = conformance{send: frames, reason: "frame_too_large", cause: FrameTooLarge, code: websocket.CloseMessageTooBig}
	}
	return tests
}

// leaves are closing handshakes that the server starts.
func leaves() map[string]conformance {
	tests := map[string]conformance{
		"7.3.1 close without a code":     {send: [][]byte{raw(final|opClose, "")}},
		"7.3.2 close of one octet":       {send: [][]byte{raw(final|opClose, "a")}},
		"7.3.4 close with a reason":      {send: [][]byte{closeFrame(1000, "Hello World!")}, code: 1000},
		"7.3.5 close with a long reason": {send: [][]byte{closeFrame(1000, strings.Repeat("r", 123))}, code: 1000},
		"7.1.2 two closes":               {send: [][]byte{closeFrame(1000, ""), closeFrame(1001, "")}, code: 1000},
		"7.1.3 ping after close":         {send: [][]byte{closeFrame(1000, ""), raw(final|opPing, "late")}, code: 1000},
		"7.1.4 text after close":         {send: [][]byte{closeFrame(1000, ""), raw(final|opText, "late")}, code: 1000},
		"7.1.5 close within fragments":   {send: [][]byte{raw(opText, "a"), closeFrame(1001, "")}, code: 1001},
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999} {
		tests[fmt.Sprintf("7.7 close code %d", code)] = conformance{send: [][]byte{closeFrame(code, "")}, code: code}
	}
	for name, test := range tests {
		test.cause = ClosedByPeer
		tests[name] = test
	}
	return tests
}
