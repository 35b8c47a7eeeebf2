// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitstream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connected returns a connection past its handshake, and the broker's end of it.
func connected(t *testing.T, options Options) (*Conn, net.Conn) {
	t.Helper()
	ours, broker := net.Pipe()
	c := newConn(t.Context(), options, ours)
	c.advertised = "broker:5552"
	c.done.Go(c.read)
	if options.Heartbeat > 0 {
		c.done.Go(c.heartbeat)
	}
	t.Cleanup(func() {
		_ = broker.Close()
		c.Close()
	})
	return c, broker
}

// sized completes a frame.
func sized(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-frameHeader))
	return frame
}

// A broker under an alarm does not read. Publishing ends after the timeout, and closing waits no longer.
func TestConn_BrokerThatDoesNotReadIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := connected(t, Options{Timeout: 5 * time.Second})
		begun := time.Now()
		require.ErrorContains(t, c.Publish(0, []Entry{{ID: 1, Content: []byte("x")}}), "writing")
		assert.Equal(t, 5*time.Second, time.Since(begun))
		c.Close()
		assert.Equal(t, 5*time.Second, time.Since(begun))
		require.Error(t, c.Publish(0, []Entry{{ID: 2, Content: []byte("x")}}))
	})
}

func TestConn_BrokerThatDoesNotRespondIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		heartbeat time.Duration
		limit     time.Duration
		want      string
	}{
		"timeout":   {0, 5 * time.Second, "no response from the broker"},
		"heartbeat": {time.Second, 2 * time.Second, "does not respond"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, broker := connected(t, Options{Timeout: 5 * time.Second, Heartbeat: test.heartbeat})
				go func() {
					for buffer := make([]byte, 1024); ; {
						if _, err := broker.Read(buffer); err != nil {
							return
						}
					}
				}()
				begun := time.Now()
				_, err := c.Leader(t.Context(), "events")
				require.ErrorContains(t, err, test.want)
				assert.Equal(t, test.limit, time.Since(begun))
			})
		})
	}
}

// A port that accepts connections and says nothing holds nobody up, with TLS neither.
func TestDial_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS": {ServerName: "localhost", MinVersion: tls.VersionTLS12}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if conn, err := listener.Accept(); err == nil {
					cancel()
					<-t.Context().Done()
					_ = conn.Close()
				}
			}()
			_, err = Dial(ctx, Options{Address: listener.Addr().String(), TLS: secure, Timeout: time.Hour})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// What the broker says without being asked ends the connection with a reason, or is no error.
func TestConn_FramesOfTheBroker(t *testing.T) {
	t.Parallel()
	update := appendString(binary.BigEndian.AppendUint16(command(keyMetadataUpdate), uint16(StreamNotAvailable)), "events")
	closing := appendString(binary.BigEndian.AppendUint16(request(keyClose, 7), 15), "CONNECTION_FORCED")
	credit := append(binary.BigEndian.AppendUint16(command(keyCredit|responseBit), 4), 1)
	huge := binary.BigEndian.AppendUint32(nil, 1<<31)
	for name, test := range map[string]struct {
		frame []byte
		want  string
	}{
		"stream is gone":      {sized(update), "stream events: the stream is not available"},
		"closed":              {sized(closing), "closed by the broker: CONNECTION_FORCED (internal error of the server; see its log)"},
		"credit":              {sized(credit), "credit of subscription 1: response code 4"},
		"too large":           {huge, "frame of 2147483648 bytes, at most 67109888 are read"},
		"truncated":           {sized(command(keyPublishConfirm)[:8]), "frame is truncated"},
		"heartbeat":           {sized(command(keyHeartbeat)), ""},
		"unknown response":    {sized(request(keyCreate|responseBit, 99)), ""},
		"confirm of nobody":   {sized(binary.BigEndian.AppendUint32(append(command(keyPublishConfirm), 9), 0)), ""},
		"a chunk of no one's": {sized(append(append(command(keyDeliver), 9), chunkOf(userChunk, 0, 1, single("a"))...)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, broker := connected(t, Options{Address: "broker:5552", Timeout: time.Second})
				_, _ = broker.Write(test.frame)
				synctest.Wait()
				if test.want == "" {
					require.NoError(t, c.Err())
					return
				}
				require.ErrorContains(t, c.Err(), test.want)
			})
		})
	}
}

func TestConn_ConfirmsAndErrorsReachTheirPublisher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, broker := connected(t, Options{Timeout: time.Second})
		confirmed := map[uint64]error{}
		c.confirms[3] = func(ids []uint64, code Code) {
			for _, id := range ids {
				confirmed[id] = code.err()
			}
		}
		frame := binary.BigEndian.AppendUint32(append(command(keyPublishConfirm), 3), 2)
		frame = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(frame, 5), 6)
		_, _ = broker.Write(sized(frame))
		frame = binary.BigEndian.AppendUint32(append(command(keyPublishError), 3), 1)
		frame = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(frame, 7), uint16(AccessRefused))
		_, _ = broker.Write(sized(frame))
		synctest.Wait()
		require.NoError(t, c.Err())
		assert.Equal(t, map[uint64]error{5: nil, 6: nil, 7: AccessRefused}, confirmed)
	})
}

func TestTLSAction(t *testing.T) {
	t.Parallel()
	assert.Contains(t, tlsAction(&tls.CertificateVerificationError{Err: errors.New("unknown authority")}), "tls::ca_file")
	assert.Contains(t, tlsAction(errors.New("first record does not look like a TLS handshake")), "5551")
}
