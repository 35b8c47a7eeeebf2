// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The cases of a client in the manner of the Autobahn test suite, whose numbers
// they have where it has them. Three are answered otherwise than RFC 6455 asks, to
// no harm: text with broken UTF-8 does not end the connection, but goes to the
// reader, which puts it on record as a violation, so that its neighbours go on; a
// close frame of one octet counts as one without a code; and a length may be
// written in more octets than it needs.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, tests := range []map[string]conformance{lives(), fails(), leaves()} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test.run(t)
			})
		}
	}
}

func (c *conformance) run(t *testing.T) {
	t.Helper()
	var received record
	f := &fake{socket: func(conn *websocket.Conn) {
		line := conn.NetConn()
		if received.begin() { // the sockets that follow are not recorded
			var reading sync.WaitGroup
			reading.Go(func() { received.listen(line) })
			c.play(line)
			reading.Wait()
			return
		}
		drain(conn)
	}}
	to := &witness{}
	play(t, f, to, 10*time.Second, nil)

	assert.Equal(t, c.texts, to.texts)
	assert.Equal(t, c.pongs, received.pongs)
	assert.Empty(t, received.breaches)
	if c.reason == "" {
		assert.Empty(t, to.pieces)
	} else {
		require.Len(t, to.pieces, 1)
		assert.Equal(t, c.reason, strings.Fields(to.pieces[0])[0])
	}
	require.NotEmpty(t, to.ends)
	if c.cause == "" {
		assert.Equal(t, Shutdown, to.ends[0].Cause, to.ends[0].Err)
		assert.Len(t, to.connected, 1)
		assert.Equal(t, []int{websocket.CloseNormalClosure}, received.codes)
		return
	}
	assert.Equal(t, c.cause, to.ends[0].Cause, to.ends[0].Err)
	assert.Greater(t, len(to.connected), 1, "it connects again")
	assert.Equal(t, []int{c.code}, received.codes, "one close frame")
}

func (c *conformance) play(line net.Conn) {
	for _, frame := range c.send {
		size := len(frame)
		if c.octets {
			size = 1
		}
		for ; len(frame) > 0; frame = frame[size:] {
			if _, err := line.Write(frame[:size]); err != nil {
				return
			}
		}
	}
}

// record is what a client has sent on its first socket.
type record struct {
	once     sync.Once
	pongs    []string
	codes    []int    // of its close frames; 0: without one
	breaches []string // of what a client has to keep to
}

func (s *record) begin() (first bool) {
	s.once.Do(func() { first = true })
	return first
}

// listen reads the client's frames, and responds to its close frame.
func (s *record) listen(line net.Conn) {
	reader := bufio.NewReader(line)
	for {
		var head [6]byte // clients mask, and these have nothing longer to say than 125 octets
		if _, err := io.ReadFull(reader, head[:2]); err != nil {
			return
		}
		if head[0]&(rsv1|rsv2|rsv3) != 0 || head[0]&final == 0 || head[1]&masked == 0 || head[1]&0x7f > 125 {
			s.breaches = append(s.breaches, fmt.Sprintf("frame head %x", head[:2]))
			return
		}
		payload := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(reader, head[2:]); err != nil {
			return
		}
		if _, err := io.ReadFull(reader, payload); err != nil {
			return
		}
		for i := range payload {
			payload[i] ^= head[2+i%4]
		}
		switch head[0] &^ final {
		case opPong:
			s.pongs = append(s.pongs, string(payload))
		case opClose:
			code := 0
			if len(payload) >= 2 {
				code = int(binary.BigEndian.Uint16(payload))
			}
			s.codes = append(s.codes, code)
			_, _ = line.Write(raw(final|opClose, string(payload)))
		}
	}
}
