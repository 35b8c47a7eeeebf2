// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Keys of the protocol's commands.
const (
	keyDeclarePublisher = 1
	keyPublish          = 2
	keyPublishConfirm   = 3
	keyPublishError     = 4
	keyQuerySequence    = 5

	keySubscribe         = 7
	keyDeliver           = 8
	keyCredit            = 9
	keyStoreOffset       = 10
	keyQueryOffset       = 11
	keyUnsubscribe       = 12
	keyCreate            = 13
	keyDelete            = 14
	keyMetadata          = 15
	keyMetadataUpdate    = 16
	keyPeerProperties    = 17
	keySaslHandshake     = 18
	keySaslAuthenticate  = 19
	keyTune              = 20
	keyOpen              = 21
	keyClose             = 22
	keyHeartbeat         = 23
	responseBit          = 0x8000
	protocolVersion      = 1
	noReference          = 0xffff
	frameHeader          = 4 // its size
	commandHeader        = 4 // key and version
	publishHeader        = commandHeader + 1 + 4
	publishedEntryHeader = 8 + 4
)

var errTruncated = errors.New("frame is truncated")

// appendString appends a string with its length.
func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) //nolint:gosec // names are short
}

// appendMap appends properties, each a string.
func appendMap(b []byte, properties map[string]string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(properties))) //nolint:gosec // a few
	for key, value := range properties {
		b = appendString(appendString(b, key), value)
	}
	return b
}

// request returns a frame without its size, with a correlation id.
func request(key uint16, correlation uint32) []byte {
	return binary.BigEndian.AppendUint32(command(key), correlation)
}

// command returns a frame without its size.
func command(key uint16) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, frameHeader, 64), key)
	return binary.BigEndian.AppendUint16(b, protocolVersion)
}

// decoder reads values from a frame. After an error it returns zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.err, d.rest = errTruncated, nil
	}
	if d.err != nil {
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) uint8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// string reads a string; the length -1 is none.
func (d *decoder) string() string {
	if n := d.uint16(); n != noReference {
		return string(d.take(int(n)))
	}
	return ""
}

// count reads the number of elements of an array, each of at least size bytes.
func (d *decoder) count(size int) int {
	n := int(d.uint32())
	if n*size > len(d.rest) {
		d.err, d.rest = fmt.Errorf("%w: %d elements do not fit", errTruncated, n), nil
	}
	if d.err != nil {
		return 0
	}
	return n
}

func (d *decoder) properties() map[string]string {
	n := d.count(4)
	properties := make(map[string]string, n)
	for range n {
		key := d.string()
		properties[key] = d.string()
	}
	return properties
}
