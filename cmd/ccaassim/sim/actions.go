// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
)

// Send writes a text frame to every connected socket, as it is.
func (s *Server) Send(frame []byte) error { return s.write(opText, frame) }

// SendBinary writes a binary frame to every connected socket, as it is.
func (s *Server) SendBinary(frame []byte) error { return s.write(opBinary, frame) }

func (s *Server) write(operation byte, frame []byte) error {
	sockets := s.hub.all()
	if len(sockets) == 0 {
		return errors.New("no socket is connected to send to")
	}
	bytes := message(operation, frame)
	var problems []error
	for _, socket := range sockets {
		problems = append(problems, socket.write(bytes))
	}
	return errors.Join(problems...)
}

// WaitConnected returns once a socket is connected.
func (s *Server) WaitConnected(ctx context.Context) error {
	return s.hub.wait(ctx, func() bool { return s.Truth().Sockets.Connected > 0 })
}

// WaitAccepted returns once this many sockets have been accepted in all, which
// tells a reconnect from the socket before.
func (s *Server) WaitAccepted(ctx context.Context, sockets int64) error {
	return s.hub.wait(ctx, func() bool { return s.Truth().Sockets.Accepted >= sockets })
}

// Burst drops connections in bulk, once, as the burst flags say; it begins with
// the next event.
func (s *Server) Burst() {
	_ = s.trouble.change(func(t *Trouble) error { // what is there is valid
		t.bursts++
		return nil
	})
}

// Campaign lets a tenant's traffic rise, once, as the campaign flags say; it begins
// with the next event.
func (s *Server) Campaign() {
	_ = s.trouble.change(func(t *Trouble) error { // what is there is valid
		t.campaigns++
		return nil
	})
}

// Reset tears every connected socket down without a close frame.
func (s *Server) Reset() {
	for _, socket := range s.hub.all() {
		socket.reset()
	}
}

// AnnounceClosing tells every Notifications socket to move; after the grace it is closed.
func (s *Server) AnnounceClosing() {
	for _, socket := range s.hub.all() {
		s.hub.announceClosing(socket)
	}
}

// CloseSockets closes every connected socket with a close frame.
func (s *Server) CloseSockets(code int, reason string) {
	for _, socket := range s.hub.all() {
		socket.close(code, reason)
	}
}
