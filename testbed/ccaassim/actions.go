// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"context"
	"errors"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// Send writes a text frame to every connected socket, as it is.
func (s *Server) Send(frame []byte) error { return s.write(api.OpText, frame) }

// SendBinary writes a binary frame to every connected socket, as it is.
func (s *Server) SendBinary(frame []byte) error { return s.write(api.OpBinary, frame) }

func (s *Server) write(operation byte, frame []byte) error {
	sockets := s.host.Hub.All()
	if len(sockets) == 0 {
		return errors.New("no socket is connected to send to")
	}
	bytes := api.Message(operation, frame)
	var problems []error
	for _, socket := range sockets {
		problems = append(problems, socket.Write(bytes))
	}
	return errors.Join(problems...)
}

// WaitConnected returns once a socket is connected.
func (s *Server) WaitConnected(ctx context.Context) error {
	return s.host.Hub.Wait(ctx, func() bool { return s.Truth().Sockets.Connected > 0 })
}

// WaitAccepted returns once this many sockets have been accepted in all, which
// distinguishes a reconnect from the socket before.
func (s *Server) WaitAccepted(ctx context.Context, sockets int64) error {
	return s.host.Hub.Wait(ctx, func() bool { return s.Truth().Sockets.Accepted >= sockets })
}

// Burst drops connections in bulk, once, by the burst flags; it begins with
// the next event.
func (s *Server) Burst() {
	_ = s.host.Trouble.Change(func(t *fault.Trouble) error { // what is there is valid
		t.TriggerBurst()
		return nil
	})
}

// Campaign raises a tenant's traffic, once, by the campaign flags; it begins
// with the next event.
func (s *Server) Campaign() {
	_ = s.host.Trouble.Change(func(t *fault.Trouble) error { // what is there is valid
		t.TriggerCampaign()
		return nil
	})
}

// Reset resets the TCP connection of every connected socket, without a close frame.
func (s *Server) Reset() {
	for _, socket := range s.host.Hub.All() {
		socket.Reset()
	}
}

// AnnounceClosing announces to every Notifications socket that it will be closed after the grace.
func (s *Server) AnnounceClosing() {
	for _, socket := range s.host.Hub.All() {
		s.host.Hub.AnnounceClosing(socket)
	}
}

// CloseSockets closes every connected socket with a close frame.
func (s *Server) CloseSockets(code int, reason string) {
	for _, socket := range s.host.Hub.All() {
		socket.Close(code, reason)
	}
}
