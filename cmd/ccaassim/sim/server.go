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
	"strconv"
	"sync"
	"time"
)

// Server is a running simulator.
type Server struct {
	config      Config
	listener    net.Listener
	http        *http.Server
	certificate []byte // PEM, with TLS

	tokens    *tokens
	directory *directory
	channels  *channels
	trouble   *trouble
	tally     *tally
	hub       *hub
	pump      *pump
	record    *record
	sink      *sink

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
	s.directory = newDirectory(s.config.Queues, s.config.Agents, source(5))
	s.channels = newChannels(s.directory, s.trouble, s.tally, s.hub)
	encoder := newEncoder(generator.series, s.config.Timestamp)
	book := newBook(s.config.SnapshotMessages, now)
	s.pump = &pump{
		composer:  composer,
		encoder:   encoder,
		book:      book,
		hub:       s.hub,
		tally:     s.tally,
		trouble:   s.trouble,
		record:    s.record,
		fullSpeed: s.config.fullSpeed(),
		lossy:     s.config.Lossy,
		duration:  s.config.Duration,
	}
	s.pump.tellers[notifications] = &topics{
		book: book, directory: s.directory, snapshots: newSnapshots(s.directory, generator.series), tally: s.tally,
	}
	for a, e := range map[api]encoding{
		realtimeEvents: encoder,
		eventHub:       &cases{directory: s.directory, series: generator.series},
		connectChat:    &chats{directory: s.directory, series: generator.series},
		taskRouter:     &tasks{directory: s.directory, series: generator.series},
	} {
		s.pump.tellers[a] = &turns{api: a, encoding: e, delivery: s.config.delivery()}
	}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
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

// advertised is where the answers say that the simulator is, by http or ws.
func (s *Server) advertised(scheme string) string {
	if s.config.TLS {
		scheme += "s"
	}
	return scheme + "://" + s.authority()
}

// authority is the host and port of that. One that listens anywhere is on loopback
// as well.
func (s *Server) authority() string {
	if s.config.Advertise != "" {
		return s.config.Advertise
	}
	address := s.listener.Addr()
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return address.String()
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
	s.channels.reconsider()
	return nil
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
		s.channels.close()
		s.ended = errors.Join(s.failed, s.record.close())
	})
	return s.ended
}
