// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import "encoding/binary"

// chunk is the bytes of one write to a socket, one or more whole WebSocket
// frames, and what they hold.
type chunk struct {
	bytes  []byte
	frames int
	items  []item
	times  []int64 // by item: when the event happened, unix nanoseconds
}

func (c *chunk) reset() {
	c.bytes, c.items, c.times, c.frames = c.bytes[:0], c.items[:0], c.times[:0], 0
}

// add encodes a frame.
func (c *chunk) add(f frame, at clock, e *encoder, t *Trouble) {
	var separator, end []byte
	start := c.begin()
	switch f.form {
	case FrameArray:
		c.bytes = append(c.bytes, '[')
		separator, end = []byte(","), []byte("]")
	case FrameLines:
		separator = []byte("\n")
	}
	operation := opText
	for n := range f.items {
		i := &f.items[n]
		if n > 0 {
			c.bytes = append(c.bytes, separator...)
		}
		happened := at.time(i)
		c.bytes = e.item(c.bytes, i, happened, t)
		c.items = append(c.items, *i)
		c.times = append(c.times, happened)
		if i.malformed == binaryFrame {
			operation = opBinary
		}
	}
	c.bytes = append(c.bytes, end...)
	c.finish(start, operation)
	c.frames++
}

// Operation codes of RFC 6455, section 5.2.
const (
	opText   byte = 1
	opBinary byte = 2
	opClose  byte = 8
	opPong   byte = 10
)

const (
	shortHeader  = 2
	mediumHeader = 4 // the usual frame, 126 to 65535 bytes
	longHeader   = 10
)

// begin leaves room for a medium header.
func (c *chunk) begin() int {
	start := len(c.bytes)
	c.bytes = append(c.bytes, make([]byte, mediumHeader)...)
	return start
}

// finish writes the header of the frame that begins at start, and moves its
// payload if the header is no medium one.
func (c *chunk) finish(start int, operation byte) {
	size := len(c.bytes) - start - mediumHeader
	const final = 0x80
	switch {
	case size < 126:
		copy(c.bytes[start+shortHeader:], c.bytes[start+mediumHeader:])
		c.bytes = c.bytes[:len(c.bytes)-(mediumHeader-shortHeader)]
		c.bytes[start+1] = byte(size)
	case size <= 0xffff:
		c.bytes[start+1] = 126
		binary.BigEndian.PutUint16(c.bytes[start+2:], uint16(size))
	default:
		c.bytes = append(c.bytes, make([]byte, longHeader-mediumHeader)...)
		copy(c.bytes[start+longHeader:], c.bytes[start+mediumHeader:])
		c.bytes[start+1] = 127
		binary.BigEndian.PutUint64(c.bytes[start+2:], uint64(size))
	}
	c.bytes[start] = final | operation
}

// message is a single frame as it goes on the wire. A server's frames are not masked.
func message(operation byte, payload []byte) []byte {
	var c chunk
	start := c.begin()
	c.bytes = append(c.bytes, payload...)
	c.finish(start, operation)
	return c.bytes
}
