// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/skew"
)

const (
	// queryInterval is the interval between queries of the reference, unless restart_after is shorter; maxQueryInterval, the maximum
	// interval while it does not respond, to limit the load on public NTP servers.
	queryInterval    = 64 * time.Second
	maxQueryInterval = 1024 * time.Second
	// queryTimeout bounds a query.
	queryTimeout = 5 * time.Second
	// readingTTL is how long a reading is valid.
	readingTTL = 3 * queryInterval
)

var errHostClock = errors.New("our own clock is misaligned by reference::ntp for longer than restart_after; " +
	"the collector stops so that the clock can be set before it is started again")

// reading is the offset of our own clock by the reference.
type reading struct {
	offset      time.Duration // positive: we are ahead
	uncertainty time.Duration
}

// ntpServer is an NTP server as reference.
type ntpServer string

func (address ntpServer) ask(ctx context.Context) (reading, error) {
	response, err := ntp.QueryWithOptions(string(address), ntp.QueryOptions{
		Timeout: queryTimeout,
		Dialer:  func(_, remote string) (net.Conn, error) { return dial(ctx, remote) },
	})
	if err == nil {
		err = response.Validate()
	}
	if err != nil {
		return reading{}, fmt.Errorf("reference::ntp: %s: %w", address, err)
	}
	return reading{offset: -response.ClockOffset, uncertainty: response.RootDistance}, nil
}

// dial opens a connection that is closed with ctx.
func dial(ctx context.Context, remote string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: queryTimeout}
	conn, err := dialer.DialContext(ctx, "udp", remote)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}

// hostClock is the state of our own clock.
type hostClock struct {
	watch   skew.Watch
	verdict skew.Verdict
	last    reading
	at      time.Duration
	known   bool
}

func newHostClock(config *Config) hostClock {
	return hostClock{watch: skew.Watch{Limit: config.Misaligned, Patience: config.RestartAfter}}
}

// read records a reading; changed reports whether the verdict differs from the last one.
func (h *hostClock) read(r reading, now time.Duration) (verdict skew.Verdict, changed bool) {
	before := h.verdict
	h.last, h.at, h.known = r, now, true
	h.verdict = h.watch.Read(r.offset, r.uncertainty, now)
	return h.verdict, h.verdict != before
}

// offset is how far our clock is ahead, if that is known.
func (h *hostClock) offset(now time.Duration) (time.Duration, bool) {
	return h.last.offset, h.known && now-h.at <= readingTTL
}

// queryReference queries the reference until ctx ends.
func (p *driftProcessor) queryReference(ctx context.Context, host component.Host) {
	interval := queryInterval
	if p.config.RestartAfter > 0 {
		interval = min(interval, p.config.RestartAfter)
	}
	failures := 0
	for {
		r, err := p.askOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.telemetry.DriftReferenceFailures.Add(ctx, 1)
			if failures == 0 {
				p.logger.Warn("Reference clock does not respond; whose clock is wrong is unknown until it does", zap.Error(err))
			}
			failures++
		default:
			failures = 0
			p.judgeHost(r, host)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(interval<<min(failures, 4), maxQueryInterval)):
		}
	}
}

func (p *driftProcessor) askOnce(ctx context.Context) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*queryTimeout) // it also ends the connection
	defer cancel()
	return p.ask(ctx)
}

func (p *driftProcessor) judgeHost(r reading, host component.Host) {
	p.mutex.Lock()
	verdict, changed := p.host.read(r, p.now())
	p.mutex.Unlock()
	if !changed {
		return
	}
	fields := []zap.Field{zap.Duration("host_offset", r.offset), zap.Duration("uncertainty", r.uncertainty)}
	switch verdict {
	case skew.Aligned:
		p.logger.Info("Our own clock is aligned again", fields...)
	case skew.Misaligned:
		p.logger.Warn("Our own clock is misaligned", append(fields, zap.Duration("restart_after", p.config.RestartAfter))...)
	case skew.GivenUp:
		p.logger.Error("Our own clock has been misaligned since the start, so another start would not help; "+
			"restart_after has no effect until it was right once. Set the clock", fields...)
	case skew.Restart:
		p.logger.Error("STOPPING THE COLLECTOR: "+errHostClock.Error(), fields...)
		componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(
			errors.Join(errHostClock, fmt.Errorf("host_offset: %v", r.offset))))
	}
}
