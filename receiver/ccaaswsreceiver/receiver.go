// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	// tickInterval is the time between two updates of metrics and status.
	tickInterval = time.Second
	// requestTimeout bounds a request and an upgrade.
	requestTimeout = 30 * time.Second
	// flushTimeout bounds the delivery of the last batches at shutdown.
	flushTimeout = 5 * time.Second
	// cancelTimeout bounds the return of a consumer whose context is canceled.
	cancelTimeout = 2 * time.Second
	// socketBuffer is the size of the read buffer of a socket, in bytes.
	socketBuffer = 64 << 10
)

// wsReceiver runs a session and a sender for each connection.
type wsReceiver struct {
	config    *Config
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	next      consumer.Logs
	report    *receiverhelper.ObsReport
	failures  failureLog
	quotas    *quotas // since Start

	api     api.API
	client  *http.Client
	dial    func(ctx context.Context, network, address string) (net.Conn, error) // of sockets; nil: TCP. Tests set it
	stop    context.CancelFunc                                                   // of the sessions
	abort   context.CancelFunc                                                   // of the senders
	running sync.WaitGroup

	monitoring sync.WaitGroup

	reconciler  *reconciler    // nil: it is off
	reconciling sync.WaitGroup // ends before the batcher that it writes to
}

func newReceiver(set receiver.Settings, config *Config, next consumer.Logs) (*wsReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             set.ID,
		Transport:              "websocket",
		LongLivedCtx:           true,
		ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	upstreamAPI, err := api.Lookup(config.Platform, config.API)
	if err != nil {
		return nil, err
	}
	return &wsReceiver{
		config:    config,
		api:       upstreamAPI,
		set:       set,
		telemetry: telemetry,
		next:      next,
		report:    report,
	}, nil
}

// Start connects in the background. A platform that cannot be reached is not an error of
// Start.
func (r *wsReceiver) Start(ctx context.Context, host component.Host) error {
	r.reconciler = newReconciler(r.config.InitialState, time.Now())
	up, err := r.newUpstream(ctx)
	if err != nil {
		return err
	}
	reporter := newStatus(func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) })

	connections := make([]*connection, up.Sessions)
	for number := range connections {
		if connections[number], err = r.connection(number, reporter, up.NewDecode); err != nil {
			return err
		}
	}
	if err := r.prepareReconciler(ctx, host, up, connections, reporter); err != nil {
		return err
	}

	var connecting, delivering context.Context
	connecting, r.stop = context.WithCancel(context.WithoutCancel(ctx))  // the sessions outlive Start,
	delivering, r.abort = context.WithCancel(context.WithoutCancel(ctx)) // and the senders outlive the sessions
	for _, conn := range connections {
		settings := up.session(conn.number)
		conn.session, conn.backoff = wsclient.New(settings, conn), settings.Backoff
		if up.Idle != nil {
			conn.idle = func() bool { return up.Idle(conn.number) }
		}
		r.running.Go(func() {
			conn.batcher.run(wsevent.ContextWithDelivery(delivering, conn), conn.delivery.deliver)
			conn.tick(time.Now()) //nolint:contextcheck // counts what was read since the last tick
		})
		r.running.Go(func() {
			defer conn.batcher.close()
			defer r.awaitReconciler(conn.number)
			conn.session.Run(connecting)
		})
	}
	r.runReconciler(connecting)
	r.monitoring.Go(func() { monitor(delivering, connections, r.quotas) })
	if up.Run != nil {
		r.running.Go(func() { up.Run(connecting) })
	}
	return nil
}

// monitor updates metrics and status until ctx ends.
func monitor(ctx context.Context, connections []*connection, limits *quotas) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, conn := range connections {
				conn.tick(now) //nolint:contextcheck // own telemetry
			}
			limits.tick(now)
		}
	}
}

// Shutdown closes the sockets, and delivers what was read.
func (r *wsReceiver) Shutdown(ctx context.Context) error {
	if r.stop == nil {
		r.telemetry.Shutdown()
		return nil
	}
	r.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.running.Wait()
	}()
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	r.abort()
	select {
	case <-ended:
	case <-time.After(cancelTimeout): // a consumer that ignores its context
		return errors.New("downstream did not return from a batch, whose records are lost")
	}
	r.monitoring.Wait()
	r.client.CloseIdleConnections()
	r.telemetry.Shutdown()
	return r.closeReconciler(ctx)
}

// connection returns a connection.
func (r *wsReceiver) connection(number int, reporter *status, newDecode func(*jsonevent.Decoder) api.Decode) (*connection, error) {
	profile := r.api.Profile()
	decoder, err := r.config.decoder(profile)
	if err != nil {
		return nil, err
	}
	pieces, err := r.config.decoder(profile)
	if err != nil {
		return nil, err
	}
	conn := &connection{
		number:    number,
		source:    fmt.Sprintf("%s/%d", r.set.ID, number),
		delivery:  r.delivery(number),
		pieces:    pieces,
		status:    reporter,
		telemetry: r.telemetry,
		logger:    r.set.Logger.With(zap.Int("connection", number)),
		health:    newHealth(time.Now()),
		failures:  &r.failures,
		heartbeat: heartbeat{interval: r.config.AliveInterval},

		lastActivity: time.Now(),
		reconciler:   r.reconciler,
	}
	redactor, err := r.config.redactor(profile)
	if err != nil {
		return nil, err
	}
	into := newRecords(recordSettings{
		encoding:        r.config.Encoding,
		platform:        profile.Platform,
		tenant:          r.config.TenantID,
		region:          profile.Region(r.config.Region),
		raw:             r.config.Raw,
		userID:          r.config.UserID,
		userKey:         string(r.config.UserIDKey),
		redactor:        redactor,
		abnormalReasons: profile.AbnormalReasons,
		version:         r.set.BuildInfo.Version,
		limits:          jsonevent.Limits{Dimension: r.config.MaxDimensionLength, ID: r.config.MaxIDLength},
		payloadSize:     r.config.PayloadSize,
		maxPayloadSize:  r.config.MaxPayloadSize,
	})
	conn.streams = newStreams(stream{tenant: into.set.tenant, region: into.set.region})
	decode := r.reconciler.wrap(r.warnUnused(number, decoder, newDecode(decoder)))
	conn.batcher = newBatcher(r.config.Batch, decode, newDeduplicator(r.config.Deduplication), into, conn.streams)
	return conn, nil
}

// delivery returns the delivery of a connection.
func (r *wsReceiver) delivery(number int) *delivery {
	return &delivery{
		next: r.next, report: r.report, telemetry: r.telemetry,
		logger: r.set.Logger.With(zap.Int("connection", number)),
	}
}
