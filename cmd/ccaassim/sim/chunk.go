// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import "encoding/binary"

// chunk is the bytes of one write to a socket: one or more whole WebSocket frames.
type chunk struct {
	bytes  []byte
	frames int
}

func (c *chunk) reset() { c.bytes, c.frames = c.bytes[:0], 0 }

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
	c.frames++
}

// message is a single frame as it goes on the wire. A server's frames are not masked.
func message(operation byte, payload []byte) []byte {
	var c chunk
	start := c.begin()
	c.bytes = append(c.bytes, payload...)
	c.finish(start, operation)
	return c.bytes
}
