// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Server is a running simulator.
type Server struct {
	config      Config
	listener    net.Listener
	http        *http.Server
	certificate []byte // PEM, with TLS

	tokens  *tokens
	trouble *trouble
	tally   *tally
	hub     *hub
	pump    *pump
	record  *record
	sink    *sink

	cancel context.CancelFunc
	done   chan struct{} // closed when the pump has ended
	failed error         // why the pump ended before its bound; read after done
	served chan struct{} // closed when the HTTP server has ended
	once   sync.Once
	ended  error
}

// Start begins to listen and, once a client is there, to send.
func Start(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{config: config, trouble: newTrouble(config.Trouble), done: make(chan struct{}), served: make(chan struct{})}
	s.tokens = newTokens(&s.config)
	s.sink = &sink{log: config.SinkLog}
	if err := s.listen(); err != nil {
		return nil, err
	}
	var err error
	if s.record, err = openRecord(config.Record); err != nil {
		_ = s.listener.Close()
		return nil, err
	}
	s.prepare(time.Now())

	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.send(ctx)
	go func() {
		defer close(s.served)
		_ = s.http.Serve(s.listener) // returns when it is closed
	}()
	return s, nil
}

// listen opens the port, with TLS if asked for.
func (s *Server) listen() error {
	var err error
	if s.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", s.config.Listen); err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if !s.config.TLS {
		return nil
	}
	pair, certificate, err := selfSigned(s.listener.Addr(), time.Now())
	if err == nil && s.config.TLSCAFile != "" {
		err = os.WriteFile(s.config.TLSCAFile, certificate, 0o600)
	}
	if err != nil {
		_ = s.listener.Close()
		return fmt.Errorf("--tls: %w", err)
	}
	s.certificate = certificate
	s.listener = tls.NewListener(s.listener, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"http/1.1"}, // an upgrade needs it
	})
	return nil
}

// prepare makes the parts. Each draws from a source of its own, so that what one
// does never changes what another does.
func (s *Server) prepare(now time.Time) {
	source := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(s.config.Seed, stream)) }
	generator := newGenerator(s.config.traffic(now), source(1))
	s.tally = newTally(generator.series, generator.population)
	s.hub = newHub(s.tally, s.trouble, source(2))
	composer := newComposer(generator, source(3), s.config.Frame, s.config.FrameEvents)
	if s.config.fullSpeed() {
		composer.wait = math.MaxInt64 / 2
	}
	s.pump = &pump{
		composer:  composer,
		encoder:   newEncoder(generator.series, s.config.Timestamp),
		hub:       s.hub,
		tally:     s.tally,
		trouble:   s.trouble,
		record:    s.record,
		fullSpeed: s.config.fullSpeed(),
		lossy:     s.config.Lossy,
		broadcast: s.config.Broadcast,
		duration:  s.config.Duration,
	}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
}

// send pumps until the bound is reached or the server is closed.
func (s *Server) send(ctx context.Context) {
	defer close(s.done)
	var err error
	if s.config.Silent {
		<-ctx.Done()
		err = ctx.Err()
	} else {
		err = s.pump.run(ctx)
	}
	if err = errors.Join(err, s.record.flush()); err == nil {
		s.tally.note(func(t *tally) { t.done = true })
	} else if ctx.Err() == nil {
		s.failed = err
	}
}

// URL is where the simulator is, as in http://127.0.0.1:8080.
func (s *Server) URL() string {
	scheme := "http://"
	if s.config.TLS {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// Certificate is the PEM of the certificate to trust, nil without TLS.
func (s *Server) Certificate() []byte { return s.certificate }

// Truth is what was sent up to now.
func (s *Server) Truth() Truth { return s.tally.truth() }

// Done is closed when nothing more will be sent: the bound is reached, or the
// server closed.
func (s *Server) Done() <-chan struct{} { return s.done }

// Trouble changes what goes wrong, from now on. An invalid change is refused.
func (s *Server) Trouble(change func(*Trouble)) error {
	return s.changeTrouble(func(t *Trouble) error {
		change(t)
		return nil
	})
}

func (s *Server) changeTrouble(change func(*Trouble) error) error {
	if err := s.trouble.change(change); err != nil {
		return err
	}
	s.hub.reconsider()
	return nil
}

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

// CloseSockets closes every connected socket with a close frame.
func (s *Server) CloseSockets(code int, reason string) {
	for _, socket := range s.hub.all() {
		socket.close(code, reason)
	}
}

// Close ends the traffic, the sockets and the server. The truth can still be read.
func (s *Server) Close() error {
	s.once.Do(func() {
		const moment = 250 * time.Millisecond
		s.cancel()
		s.hub.close(moment)
		<-s.done
		ctx, cancel := context.WithTimeout(context.Background(), moment)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // a client holds a connection open: cut it
		}
		<-s.served
		s.ended = errors.Join(s.failed, s.record.close())
	})
	return s.ended
}
