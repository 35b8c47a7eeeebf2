// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// FrameBuffer holds the bytes of one write to a socket: one or more complete WebSocket frames.
type FrameBuffer struct {
	Bytes []byte
	Count int // of frames
}

// Reset empties the buffer.
func (f *FrameBuffer) Reset() { f.Bytes, f.Count = f.Bytes[:0], 0 }

// Operation codes of RFC 6455, section 5.2.
const (
	OpText   byte = 1
	OpBinary byte = 2
	opClose  byte = 8
	opPong   byte = 10
)

const (
	shortHeader  = 2
	mediumHeader = 4 // the usual frame, 126 to 65535 bytes
	longHeader   = 10
)

// Begin leaves room for a medium header.
func (f *FrameBuffer) Begin() int {
	start := len(f.Bytes)
	f.Bytes = append(f.Bytes, make([]byte, mediumHeader)...)
	return start
}

// FinishAs writes the header of the frame that begins at start, and moves its
// payload if the header is no medium one.
func (f *FrameBuffer) FinishAs(start int, operation byte) {
	size := len(f.Bytes) - start - mediumHeader
	const final = 0x80
	switch {
	case size < 126:
		copy(f.Bytes[start+shortHeader:], f.Bytes[start+mediumHeader:])
		f.Bytes = f.Bytes[:len(f.Bytes)-(mediumHeader-shortHeader)]
		f.Bytes[start+1] = byte(size)
	case size <= 0xffff:
		f.Bytes[start+1] = 126
		binary.BigEndian.PutUint16(f.Bytes[start+2:], uint16(size))
	default:
		f.Bytes = append(f.Bytes, make([]byte, longHeader-mediumHeader)...)
		copy(f.Bytes[start+longHeader:], f.Bytes[start+mediumHeader:])
		f.Bytes[start+1] = 127
		binary.BigEndian.PutUint64(f.Bytes[start+2:], uint64(size))
	}
	f.Bytes[start] = final | operation
	f.Count++
}

// Finish completes the frame that begins at start, malformed if its item is.
func (f *FrameBuffer) Finish(start int, i *traffic.Item, t *fault.Trouble) {
	operation := OpText
	if i.Malformed != fault.WellFormed {
		good := append([]byte{}, f.Bytes[start+mediumHeader:]...)
		f.Bytes = append(f.Bytes[:start+mediumHeader], SpoilFrame(good, i, t.OversizedBytes)...)
		if i.Malformed == fault.BinaryFrame {
			operation = OpBinary
		}
	}
	f.FinishAs(start, operation)
}

// Message is a single frame as it goes on the wire. A server's frames are not masked.
func Message(operation byte, payload []byte) []byte {
	var f FrameBuffer
	start := f.Begin()
	f.Bytes = append(f.Bytes, payload...)
	f.FinishAs(start, operation)
	return f.Bytes
}

// SpoilFrame makes a well-formed frame of any API malformed. Where a kind has
// several faces, the event's id chooses one, so that a seed repeats them.
func SpoilFrame(good []byte, i *traffic.Item, oversized int) []byte {
	with := func(field string) []byte { return bytes.Replace(good, []byte("{"), []byte("{"+field+","), 1) }
	switch i.Malformed {
	case fault.NotJSON:
		return []byte(Choose(i, `<html><body>502 Bad Gateway</body></html>`, `hello`, `{type:message.send}`, `{"type":"message.send",}`))
	case fault.Truncated:
		return good[:len(good)*2/3]
	case fault.InvalidUTF8:
		return with("\"invalid\":\"\xff\xfe\xc3(\"")
	case fault.TooDeep:
		return with(`"extra":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
	case fault.BinaryFrame:
		return []byte{0x08, 0x96, 0x01, 0x12, 0x07, 0xff, 0x00, 0xfe, byte(i.Event.Id.Low), 0x1a}
	case fault.FrameTooLarge:
		return with(`"padding":"` + strings.Repeat("x", oversized) + `"`)
	default: // nulBytes
		return append([]byte{0, 0}, good...)
	}
}

// Choose picks a variant by the event's id, so that a seed repeats them.
func Choose[T any](i *traffic.Item, faces ...T) T { return faces[i.Event.Id.Low%uint64(len(faces))] }
