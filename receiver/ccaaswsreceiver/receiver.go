// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
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
	// requestTimeout bounds a request and an upgrade.
	requestTimeout = 30 * time.Second
	// flushTimeout bounds what the last batches may take at shutdown.
	flushTimeout = 5 * time.Second
	// giveUpTimeout bounds what a consumer may take to notice that its call is
	// cancelled.
	giveUpTimeout = 2 * time.Second
	// socketBuffer is read from the connection at once.
	socketBuffer = 64 << 10
)

// wsReceiver runs a session for each connection, and a courier for each session.
type wsReceiver struct {
	config    *Config
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	next      consumer.Logs
	report    *receiverhelper.ObsReport

	api     api.API
	client  *http.Client
	stop    context.CancelFunc // of the sessions
	giveUp  context.CancelFunc // of the couriers
	running sync.WaitGroup

	monitoring sync.WaitGroup
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

// Start begins to connect. That the platform is not there is no error of Start.
func (r *wsReceiver) Start(ctx context.Context, host component.Host) error {
	up, err := r.newUpstream(ctx)
	if err != nil {
		return err
	}
	shown := newStatus(func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) })

	connections := make([]*connection, up.Sessions)
	for number := range connections {
		if connections[number], err = r.connection(number, shown, up.NewDecode); err != nil { //nolint:contextcheck // it is of the receiver, not of the call
			return err
		}
	}

	var connecting, delivering context.Context
	connecting, r.stop = context.WithCancel(context.WithoutCancel(ctx))   // the sessions outlive Start,
	delivering, r.giveUp = context.WithCancel(context.WithoutCancel(ctx)) // and the couriers outlive the sessions
	for _, conn := range connections {
		settings := up.session(conn.number)
		conn.session, conn.pace = wsclient.New(settings, conn), settings.Backoff
		if up.Idle != nil {
			conn.idle = func() bool { return up.Idle(conn.number) }
		}
		r.running.Go(func() {
			conn.outbox.carry(wsevent.ContextWithDelivery(delivering, conn), conn.delivery.deliver)
			conn.tick(time.Now()) //nolint:contextcheck // what was read after the last one is of no call
		})
		r.running.Go(func() {
			defer conn.outbox.close()
			conn.session.Run(connecting)
		})
	}
	r.monitoring.Go(func() { monitor(delivering, connections) })
	if up.Run != nil {
		r.running.Go(func() { up.Run(connecting) })
	}
	return nil
}

// monitor looks at the connections until ctx ends.
func monitor(ctx context.Context, connections []*connection) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, conn := range connections {
				conn.tick(now) //nolint:contextcheck // own telemetry is of no call
			}
		}
	}
}

// Shutdown says goodbye to the platform, and takes downstream what was read.
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
	r.giveUp()
	select {
	case <-ended:
	case <-time.After(giveUpTimeout): // a consumer that does not heed its context
		return errors.New("downstream has not returned from a batch, whose records are lost")
	}
	r.monitoring.Wait()
	r.client.CloseIdleConnections()
	r.telemetry.Shutdown()
	return nil
}

// connection makes one of the connections.
func (r *wsReceiver) connection(number int, shown *status, newDecode func(*jsonevent.Decoder) api.Decode) (*connection, error) {
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
		status:    shown,
		telemetry: r.telemetry,
		logger:    r.set.Logger.With(zap.Int("connection", number)),
		heard:     time.Now(),
		health:    newHealth(time.Now()),
		alive:     alive{interval: r.config.AliveInterval},
		warned:    map[string]bool{},
	}
	redactor, err := r.config.redactor(profile)
	if err != nil {
		return nil, err
	}
	into := newRecords(recordSettings{
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
	}, conn.saw)
	conn.streams = newStreams(stream{tenant: into.set.tenant, region: into.set.region})
	conn.outbox = newOutbox(r.config.Batch, r.warnUnused(number, decoder, newDecode(decoder)), newDuplicates(r.config.Deduplication), into, conn.violated)
	conn.outbox.countBlock = func(blocked time.Duration) {
		r.telemetry.CcaasWsBackpressureTime.Add(context.Background(), blocked.Seconds())
	}
	return conn, nil
}

// delivery makes that of one of the connections.
func (r *wsReceiver) delivery(number int) *delivery {
	return &delivery{
		next: r.next, report: r.report, telemetry: r.telemetry,
		logger: r.set.Logger.With(zap.Int("connection", number)),
	}
}
