// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"encoding/binary"
	"errors"
	"slices"
)

// A message of a stream is an AMQP 1.0 message: sections, each a described value. What is
// written here has one section, of binary data.
const (
	sectionData    = 0x75
	described      = 0x00
	smallULong     = 0x53
	uLong          = 0x80
	binary8        = 0xa0
	binary32       = 0xb0
	dataHeader32   = 3 + 1 + 4
	maxBinary8     = 0xff
	fixedWidthOne  = 0x5
	fixedWidthZero = 0x4
	fixedWidthLast = 0x9
	variableWidth1 = 0xa
	variableWidth4 = 0xb
	compoundWidth1 = 0xc
	compoundWidth4 = 0xd
	arrayWidth1    = 0xe
	arrayWidth4    = 0xf
)

var errNoData = errors.New("is no AMQP 1.0 message with a data section")

// AppendMessage appends the message that holds data.
func AppendMessage(b, data []byte) []byte {
	b = append(b, described, smallULong, sectionData)
	if len(data) <= maxBinary8 {
		b = append(b, binary8, byte(len(data)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, binary32), uint32(len(data))) //nolint:gosec // bounded by the frame size
	}
	return append(b, data...)
}

// Data returns the binary data of a message; that of several data sections is joined.
// The other sections are skipped. Where there is one data section, data aliases message.
func Data(message []byte) (data []byte, err error) {
	d := decoder{rest: message}
	sections := 0
	for len(d.rest) > 0 && d.err == nil {
		code, ok := d.section()
		if !ok {
			return nil, errNoData
		}
		value, isBinary := d.value()
		if code != sectionData {
			continue
		}
		if !isBinary {
			return nil, errNoData
		}
		if sections++; sections == 1 {
			data = slices.Clip(value)
		} else {
			data = append(data, value...)
		}
	}
	if d.err != nil || sections == 0 {
		return nil, errNoData
	}
	return data, nil
}

// section reads the descriptor of a section.
func (d *decoder) section() (code uint64, ok bool) {
	if d.uint8() != described {
		return 0, false
	}
	switch d.uint8() {
	case smallULong:
		code = uint64(d.uint8())
	case uLong:
		code = d.uint64()
	default:
		return 0, false
	}
	return code, d.err == nil
}

// value reads a value, of which only binary data is of use. The width of a value is in
// the upper half of its constructor.
func (d *decoder) value() (content []byte, isBinary bool) {
	constructor := d.uint8()
	isBinary = constructor == binary8 || constructor == binary32
	switch width := constructor >> 4; width {
	case fixedWidthZero:
	case fixedWidthOne, fixedWidthOne + 1, fixedWidthOne + 2, fixedWidthOne + 3, fixedWidthLast:
		d.take(1 << (width - fixedWidthOne))
	case variableWidth1, compoundWidth1, arrayWidth1:
		content = d.take(int(d.uint8()))
	case variableWidth4, compoundWidth4, arrayWidth4:
		content = d.take(int(d.uint32()))
	default:
		d.err = errNoData
	}
	return content, isBinary
}
