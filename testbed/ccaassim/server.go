// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package ccaassim is a contact-centre platform on loopback: OAuth2, the pre-flight,
// the APIs' sockets with realistic traffic, faults on request, and the exact truth of
// what was sent. Its packages import in this direction only:
//
//	ccaassim                          server, pump, control endpoints, webhook sink
//	  api/{realtime,notifications,…}  one platform API each: endpoints and encoding
//	    api                           what they share: sockets, tokens, frames, round robin
//	      config                      settings and flags
//	      truth                       counts of what was sent, by series and outcome
//	        traffic                   which events happen, in which frames (pure)
//	          fault                   what goes wrong, and when
package ccaassim

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

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/connectchat"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/taskrouter"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// registered are the APIs that the simulator serves.
var registered = []func(*api.Host, truth.API) api.API{realtime.New, notifications.New, eventhub.New, connectchat.New, taskrouter.New}

// Server is a running simulator.
type Server struct {
	config      config.Config
	listener    net.Listener
	http        *http.Server
	certificate []byte // PEM, with TLS

	host *api.Host
	apis []api.API
	pump *pump
	log  *eventLog
	sink *sink

	cancel context.CancelFunc
	done   chan struct{} // closed when the pump has ended
	failed error         // why the pump ended before its bound; read after done
	served chan struct{} // closed when the HTTP server has ended
	once   sync.Once
	ended  error
}

// Start begins to listen and, once a client is there, to send.
func Start(config config.Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{config: config, sink: &sink{log: config.SinkLog}, done: make(chan struct{}), served: make(chan struct{})}
	if err := s.listen(); err != nil {
		return nil, err
	}
	if err := s.prepare(time.Now()); err != nil {
		_ = s.listener.Close()
		return nil, err
	}

	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.send(ctx)
	go func() {
		defer close(s.served)
		_ = s.http.Serve(s.listener) // returns when it is closed
	}()
	return s, nil
}

// listen opens the port, with TLS if configured.
func (s *Server) listen() error {
	var err error
	if s.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", s.config.Listen); err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if !s.config.TLS {
		return nil
	}
	own, err := newCertificates(s.listener.Addr(), time.Now())
	if err == nil && s.config.TLSCAFile != "" {
		err = os.WriteFile(s.config.TLSCAFile, own.trusted, 0o600)
	}
	if err != nil {
		_ = s.listener.Close()
		return fmt.Errorf("--tls: %w", err)
	}
	s.certificate = own.trusted
	s.listener = tls.NewListener(s.listener, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return own.of(s.host.Trouble.Now().Certificate, time.Now())
		},
		NextProtos: []string{"http/1.1"}, // an upgrade needs it
	})
	return nil
}

// prepare makes the parts. Each draws from a source of its own, so that what one
// does never changes what another does.
func (s *Server) prepare(now time.Time) error {
	source := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(s.config.Seed, stream)) }
	generator := traffic.NewGenerator(s.config.Traffic(now), source(1))
	var err error
	if s.log, err = openEventLog(s.config.Record, generator.Series, s.config.Timestamp); err != nil {
		return err
	}
	recorder := truth.NewRecorder(generator.Series, generator.Population)
	trouble := fault.NewState(s.config.Trouble)
	s.host = &api.Host{
		Config:    &s.config,
		Authority: s.authority(),
		Series:    generator.Series,
		Tokens:    api.NewTokens(&s.config),
		Directory: api.NewDirectory(s.config.Queues, s.config.Agents, source(5)),
		Hub:       api.NewHub(recorder, trouble, source(2)),
		Recorder:  recorder,
		Trouble:   trouble,
		History:   history.New(now),
	}
	generator.Each(s.host.History.Found)
	var sources []truth.Source
	for id, create := range registered {
		a := create(s.host, truth.API(id))
		s.apis, sources = append(s.apis, a), append(sources, a)
	}
	recorder.SetSources(sources)
	framer := traffic.NewFramer(generator, source(3), s.config.Frame, s.config.FrameEvents)
	if s.config.Unpaced() {
		framer.Wait = math.MaxInt64 / 2
	}
	s.pump = &pump{
		framer:    framer,
		apis:      s.apis,
		hub:       s.host.Hub,
		recorder:  recorder,
		history:   s.host.History,
		trouble:   trouble,
		log:       s.log,
		fullSpeed: s.config.Unpaced(),
		lossy:     s.config.Lossy,
		duration:  s.config.Duration,
		batch:     truth.NewBatch(len(s.apis)),
		of:        make([][]*api.Socket, len(s.apis)),
	}
	s.http = &http.Server{Handler: s.dated(s.routes()), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	return nil
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
	if err = errors.Join(err, s.log.flush()); err == nil {
		s.host.Recorder.Finish()
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

// authority is the host and port that clients reach the simulator by. One that listens
// anywhere is on loopback as well.
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
func (s *Server) Truth() truth.Truth { return s.host.Recorder.Truth() }

// Done is closed when nothing more will be sent: the bound is reached, or the
// server closed.
func (s *Server) Done() <-chan struct{} { return s.done }

// Trouble changes the present trouble. An invalid change is rejected.
func (s *Server) Trouble(change func(*fault.Trouble)) error {
	return s.changeTrouble(func(t *fault.Trouble) error {
		change(t)
		return nil
	})
}

func (s *Server) changeTrouble(change func(*fault.Trouble) error) error {
	if err := s.host.Trouble.Change(change); err != nil {
		return err
	}
	s.host.Hub.TroubleChanged()
	for _, a := range s.apis {
		a.TroubleChanged()
	}
	return nil
}

// Close ends the traffic, the sockets and the server. The truth can still be read.
func (s *Server) Close() error {
	s.once.Do(func() {
		const moment = 250 * time.Millisecond
		s.cancel()
		s.host.Hub.Close(moment)
		<-s.done
		ctx, cancel := context.WithTimeout(context.Background(), moment)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // a client holds a connection open: cut it
		}
		<-s.served
		for _, a := range s.apis {
			a.Close()
		}
		s.ended = errors.Join(s.failed, s.log.close())
	})
	return s.ended
}
