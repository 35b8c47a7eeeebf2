// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	// subscribeTimeout is how long the first question waits for the connections.
	subscribeTimeout = 10 * time.Second
	// unknownInterval is the time between two stream.gap records while the state at start
	// is unknown: windows must not end without one.
	unknownInterval = time.Second
	// maxUnknown is how long windows remain incomplete because the state at start cannot
	// be asked for.
	maxUnknown = 15 * time.Minute
	// minAskAgain and maxAskAgain bound the wait before the state at start is asked for again
	// after an answer that cannot be read.
	minAskAgain, maxAskAgain = time.Second, 2 * time.Minute
)

// reconciler asks the platform for the channels that events do not report: at the start,
// after a gap, and at an interval. It shares the receiver's limits of requests, and emits
// what it reconstructs through the first connection.
type reconciler struct {
	set       InitialStateConfig
	history   *api.History
	tokens    *wsclient.Tokens
	client    *http.Client
	telemetry reconcilerTelemetry
	logger    *zap.Logger
	status    *status
	target    *connection
	all       []*connection
	saving    *saving // nil: nothing is saved

	mutex    sync.Mutex // held while a frame is decoded, and after the batcher's
	channels *reconcile.Channels

	pace       reconcile.Pace
	comparison reconcile.Comparison
	off        map[api.Function]bool
	permission string // that the latest request needs

	gaps gaps
}

// newReconciler returns the reconciler of a receiver; nil: it is off.
func newReconciler(set InitialStateConfig, now time.Time) *reconciler {
	if !set.Enabled {
		return nil
	}
	return &reconciler{
		set: set, channels: reconcile.New(now.Add(-time.Second), set.MaxChannels), off: map[api.Function]bool{},
		gaps: gaps{Gaps: reconcile.NewGaps(), changed: make(chan struct{}, 1)},
	}
}

// observe takes a session of a snapshot. It is called while a frame is decoded.
func (r *reconciler) observe() api.Observe {
	if r == nil {
		return nil
	}
	return func(s *reconcile.Session, now time.Time, to jsonevent.Sink) {
		result := r.channels.Observe(s, now, to)
		r.count(&result)
	}
}

// wrap returns a decode function that records events, and removes those that were
// reconstructed before.
func (r *reconciler) wrap(decode api.Decode) api.Decode {
	if r == nil {
		return decode
	}
	sink := &reconcile.Sink{Channels: r.channels}
	return func(text []byte, at time.Time, to jsonevent.Sink) {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		sink.Now, sink.Next = at, to
		decode(text, at, sink)
	}
}

// run reconciles until ctx ends.
func (r *reconciler) run(ctx context.Context) {
	first, ok := r.gaps.first(ctx)
	if !ok {
		return
	}
	r.mutex.Lock()
	r.channels.Watch(first)
	r.mutex.Unlock()
	r.awaitConnections(ctx)
	r.start(ctx, first)
	ticker := time.NewTicker(r.set.ReconcileInterval)
	defer ticker.Stop()
	for {
		if gap, open := r.gaps.take(time.Now()); open {
			r.healOrRetry(ctx, gap)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-r.gaps.changed:
		case <-ticker.C:
			if gap := r.gaps.retry(time.Now()); gap != (reconcile.Range{}) {
				r.logger.Error("A gap is given up: it could not be healed in time", gapFields(gap)...)
			}
			r.round(ctx)
		}
	}
}

// awaitConnections waits until every connection that has something to connect for is up.
func (r *reconciler) awaitConnections(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, subscribeTimeout)
	defer cancel()
	for ctx.Err() == nil {
		up := true
		for _, one := range r.all {
			up = up && (one.up.Load() || one.idle != nil && one.idle())
		}
		if up {
			return
		}
		pause.For(ctx, spareInterval)
	}
}

// start asks for the channels that are open. Until they are known, and where the platform
// does not list all of them until the counts agree, the windows are incomplete.
func (r *reconciler) start(ctx context.Context, since time.Time) {
	if r.history.Present == nil {
		return
	}
	ended := make(chan struct{})
	var emitting sync.WaitGroup
	defer emitting.Wait()
	defer close(ended)
	emitting.Go(func() { r.emitUnknown(ended, since) })
	var result reconcile.Result
	failures := 0
	for began := time.Now(); ctx.Err() == nil && !r.off[api.AskPresent]; {
		unlisted, failure := r.history.Present(ctx, r.ask, r.apply(reconcile.Range{}, &result))
		switch {
		case failure != nil && r.failed(ctx, api.AskPresent, failure):
			return
		case failure != nil:
			pause.For(ctx, min(minAskAgain<<min(failures, 8), maxAskAgain))
			failures++
		case unlisted == 0:
			r.logger.Info("The channels that were open before the start are known", zap.Int("channels", result.Present), zap.Int("opened_since", result.Opened))
			return
		case !r.truncated(ctx, unlisted):
			return
		}
		if time.Since(began) > maxUnknown {
			r.logger.Error("The channels that were open before the start stay unknown; active connections count those with events", zap.Duration("after", maxUnknown))
			return
		}
	}
}

// truncated waits after an answer that does not list all open channels. It reports whether
// to ask again.
func (r *reconciler) truncated(ctx context.Context, unlisted int64) (again bool) {
	r.logger.Warn("The platform does not list all channels that are open; windows are incomplete until the numbers agree", zap.Int64("missing", unlisted))
	if r.history.Count != nil && !r.off[api.AskCount] {
		counts, failure := r.history.Count(ctx, r.ask)
		if failure == nil && r.agrees(counts) {
			r.logger.Info("The numbers of open channels agree with the platform's")
			return false
		}
		if failure != nil {
			r.failed(ctx, api.AskCount, failure)
		}
	}
	return pause.For(ctx, min(r.set.Settle, r.set.ReconcileInterval))
}

func (r *reconciler) agrees(counts map[reconcile.Group]int64) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var fresh reconcile.Comparison
	for _, one := range fresh.Compare(r.channels, counts) {
		if one.Own < one.Platform {
			return false
		}
	}
	return true
}

// emitUnknown emits stream.gap records for the time in which the state is unknown.
func (r *reconciler) emitUnknown(ended <-chan struct{}, since time.Time) {
	ticker := time.NewTicker(unknownInterval)
	defer ticker.Stop()
	for {
		var over bool
		select {
		case <-ended:
			over = true
		case <-ticker.C:
		}
		now := time.Now()
		r.target.emitUnknown(since, now)
		since = now
		if over {
			return
		}
	}
}

// round compares the counts, and resolves the differences that last.
func (r *reconciler) round(ctx context.Context) {
	if r.history.Count == nil || r.off[api.AskCount] {
		r.target.emitReconciled(nil, r.stuck())
		return
	}
	counts, failure := r.history.Count(ctx, r.askOnce) // again in the next round: a gap does not wait for it
	if failure != nil {
		r.failed(ctx, api.AskCount, failure)
		return
	}
	r.mutex.Lock()
	differences := r.comparison.Compare(r.channels, counts)
	r.mutex.Unlock()
	unreconciled := map[string]int64{}
	missing, ghosts := false, false
	for i := range differences {
		d := &differences[i]
		unreconciled[d.ChannelType] += d.Own - d.Platform
		missing = missing || d.Lasting() && d.Own < d.Platform
		ghosts = ghosts || d.Lasting() && d.Own > d.Platform
	}
	r.target.emitReconciled(unreconciled, r.stuck())
	if missing || ghosts {
		r.resolve(ctx, missing, ghosts)
	}
}

func (r *reconciler) stuck() map[string]int64 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.channels.Stuck(r.set.StuckAfter, time.Now())
}

// resolve opens what is missing, and closes what the platform does not have.
func (r *reconciler) resolve(ctx context.Context, missing, ghosts bool) {
	var result reconcile.Result
	if missing && r.history.Present != nil && !r.off[api.AskPresent] {
		if _, failure := r.history.Present(ctx, r.askOnce, r.apply(reconcile.Range{}, &result)); failure != nil {
			r.failed(ctx, api.AskPresent, failure)
		}
	}
	if ghosts {
		asked := time.Now()
		silent := asked.Add(-r.set.ReconcileInterval)
		if r.lookup(ctx, reconcile.Range{To: silent.UnixNano()}, &result) == nil {
			r.drop(silent, asked, &result)
		}
	}
	r.logger.Info("Differences to the platform's counts resolved", zap.Int("opened", result.Opened+result.Present), zap.Int("closed", result.Closed))
}

// drop closes, at a time, the channels that have been silent since another, and are not in
// the answer about them.
func (r *reconciler) drop(silent, at time.Time, result *reconcile.Result) {
	r.target.batcher.inject(time.Now(), func(to jsonevent.Sink) {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		var all reconcile.Result
		for _, name := range r.channels.Silent(silent) {
			for _, id := range r.channels.ChannelsOf(name) {
				all.Add(r.channels.Drop(id, at, time.Now(), to))
			}
		}
		r.count(&all)
		result.Add(all)
	})
}

// apply returns the function by which answers are taken.
func (r *reconciler) apply(gap reconcile.Range, result *reconcile.Result) api.Apply {
	return func(each func(history.Match, func(*reconcile.Session))) {
		now := time.Now()
		r.target.batcher.inject(now, func(to jsonevent.Sink) {
			r.mutex.Lock()
			defer r.mutex.Unlock()
			var all reconcile.Result
			each(r.channels.Match, func(s *reconcile.Session) { all.Add(r.channels.Apply(s, gap, now, to)) })
			r.count(&all)
			result.Add(all)
		})
	}
}

func (r *reconciler) count(result *reconcile.Result) {
	r.telemetry.reconstructed("opened", result.Opened)
	r.telemetry.reconstructed("closed", result.Closed)
	r.telemetry.reconstructed("present", result.Present)
}

// reconcilerTelemetry counts what the reconciler does.
type reconcilerTelemetry struct {
	reconstructed func(kind string, n int)
	requested     func(result string)
}

func newReconcilerTelemetry(t *metadata.TelemetryBuilder) reconcilerTelemetry {
	return reconcilerTelemetry{
		reconstructed: func(kind string, n int) {
			if n > 0 {
				t.CcaasWsReconstructedEvents.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String("kind", kind)))
			}
		},
		requested: func(result string) {
			t.CcaasWsHistoryRequests.Add(context.Background(), 1, metric.WithAttributes(attribute.String("result", result)))
		},
	}
}

// emitUnknown emits stream.gap for a time in which the state at start is unknown. No event
// is lost: it is not among the gaps of the connection.
func (c *connection) emitUnknown(from, to time.Time) {
	for _, one := range c.streams.current(to) {
		c.batcher.stream(wsevent.StreamGap, one, to, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.GapStart, from.UnixMilli())
			record.Attributes().PutInt(wsevent.GapEnd, to.UnixMilli())
			record.Attributes().PutStr(wsevent.StreamCause, wsevent.CauseInitialState)
		})
	}
}

// emitReconciled emits stream.reconciled for each channel type: by how many our open
// channels differ from the platform's, where that is known, and how many are stuck.
func (c *connection) emitReconciled(unreconciled, stuck map[string]int64) {
	now := time.Now()
	types := map[string]bool{}
	for channelType := range unreconciled {
		types[channelType] = true
	}
	for channelType := range stuck {
		types[channelType] = true
	}
	one := c.streams.configured
	for channelType := range types {
		c.batcher.series(wsevent.StreamReconciled, one, channelType, now, func(record plog.LogRecord) {
			if difference, known := unreconciled[channelType]; known {
				record.Attributes().PutInt(wsevent.ConnectionsUnreconciled, difference)
			}
			record.Attributes().PutInt(wsevent.ConnectionsStuck, stuck[channelType])
		})
	}
}
