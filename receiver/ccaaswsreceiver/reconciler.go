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
	// spareInterval is the time between two checks for a request that is left over.
	spareInterval = 100 * time.Millisecond
	// maxAttempts is how often a request is sent that fails for a reason that passes.
	maxAttempts = 12
	// maxUnknown is how long windows remain incomplete because the state at start cannot
	// be asked for.
	maxUnknown = 15 * time.Minute
	// minAskAgain and maxAskAgain bound the wait before the state at start is asked for again
	// after an answer that cannot be read.
	minAskAgain, maxAskAgain = time.Second, 2 * time.Minute
	// inFlight is how long a close may be on its way that happened before an answer.
	inFlight = 2 * time.Second
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

// healOrRetry heals a gap. What could not be healed is tried again at the next round, unless
// it has more than may be asked for. At shutdown it is saved.
func (r *reconciler) healOrRetry(ctx context.Context, gap reconcile.Range) {
	failure := r.heal(ctx, gap)
	switch {
	case ctx.Err() != nil:
		return
	case failure != nil && errors.Is(failure, api.ErrTooMany):
		r.logger.Error("A gap is given up: the platform's history has more than is asked for; what was found is reconstructed", append(gapFields(gap), zap.Error(failure))...)
		failure = nil
	}
	r.gaps.ended(failure == nil)
}

// errOff is the failure of a function that is switched off.
var errOff = errors.New("the function is off")

func functionOff() *wsclient.Failure {
	return wsclient.NewFailure(wsclient.Unauthorized, true, errOff)
}

// heal asks what happened in a gap: to the channels that were open, and which others were
// opened or closed. The history lags behind: it is asked at once, when it has settled, and
// once more for the rest.
func (r *reconciler) heal(ctx context.Context, gap reconcile.Range) *wsclient.Failure {
	if r.history.Between == nil {
		return r.relist(ctx, gap)
	}
	var result reconcile.Result
	var failure *wsclient.Failure
	r.lookup(ctx, gap, &result)
	for _, final := range []bool{false, true} {
		before := result
		if wait := time.Until(time.Unix(0, gap.To).Add(r.set.Settle)); final {
			pause.For(ctx, r.set.Settle)
		} else {
			pause.For(ctx, wait)
		}
		if failure = r.between(ctx, gap, &result); failure == nil {
			failure = r.lookup(ctx, gap, &result)
		}
		if ctx.Err() != nil {
			return failure
		}
		if failure == nil && (!final || result != before) {
			r.healed(gap, &result, wsevent.HealedMessages)
		}
	}
	return failure
}

// relist asks again for the channels that are open, where the platform has no history: one
// that was open when the gap began, and is not in a complete list, has ended. When is not
// known: at the end of the gap, at the latest.
func (r *reconciler) relist(ctx context.Context, gap reconcile.Range) *wsclient.Failure {
	if r.off[api.AskPresent] {
		return functionOff()
	}
	pause.For(ctx, time.Until(time.Unix(0, gap.To).Add(r.set.Settle)))
	var result reconcile.Result
	asked := time.Now()
	unlisted, failure := r.history.Present(ctx, r.ask, r.apply(gap, &result))
	if failure != nil {
		r.failed(ctx, api.AskPresent, failure)
		return failure
	}
	if unlisted > 0 {
		r.logger.Warn("The platform does not list all channels that are open; the gap stays open until it does",
			append(gapFields(gap), zap.Int64("missing", unlisted))...)
		return wsclient.NewFailure(wsclient.BadAnswer, false, errors.New("the list is not complete"))
	}
	pause.For(ctx, inFlight)
	r.mutex.Lock()
	lists := r.channels.Lists(asked, time.Unix(0, gap.To))
	r.mutex.Unlock()
	if ctx.Err() != nil {
		return wsclient.NewFailure(wsclient.Shutdown, false, ctx.Err())
	}
	if !lists {
		r.logger.Warn("The list of open channels does not have most of those that events are of; no channel is closed by it. Check session::initial_state", gapFields(gap)...)
		return wsclient.NewFailure(wsclient.BadAnswer, false, errors.New("the list is of other channels"))
	}
	r.drop(time.Unix(0, gap.To), time.Unix(0, gap.To), &result)
	r.healed(gap, &result, wsevent.HealedMessages, wsevent.HealedShortConnections)
	return nil
}

// healed reports a gap of which all is known but some.
func (r *reconciler) healed(gap reconcile.Range, result *reconcile.Result, unknown ...string) {
	r.logger.Info("Gap healed", append(gapFields(gap),
		zap.Int("opened", result.Opened), zap.Int("closed", result.Closed), zap.Int("present", result.Present))...)
	r.target.emitHealed(gap, result, unknown)
}

func gapFields(gap reconcile.Range) []zap.Field {
	return []zap.Field{zap.Time("from", time.Unix(0, gap.From)), zap.Time("to", time.Unix(0, gap.To))}
}

// lookup asks for the channels that were open when a gap began and have been silent since.
func (r *reconciler) lookup(ctx context.Context, gap reconcile.Range, result *reconcile.Result) *wsclient.Failure {
	if r.history.Lookup == nil || r.off[api.AskLookup] {
		return functionOff()
	}
	r.mutex.Lock()
	names := r.channels.Silent(time.Unix(0, gap.To))
	r.mutex.Unlock()
	failure := r.history.Lookup(ctx, r.ask, names, r.apply(gap, result))
	if failure != nil {
		r.failed(ctx, api.AskLookup, failure)
	}
	return failure
}

func (r *reconciler) between(ctx context.Context, gap reconcile.Range, result *reconcile.Result) *wsclient.Failure {
	if r.off[api.AskBetween] {
		return functionOff()
	}
	settled := time.Now().Add(-r.set.Settle)
	failure := r.history.Between(ctx, r.ask, time.Unix(0, gap.From), settled, r.apply(gap, result))
	if failure != nil {
		r.failed(ctx, api.AskBetween, failure)
	}
	return failure
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

// ask sends a request when there is one left over, again while it fails for a reason that
// passes.
func (r *reconciler) ask(ctx context.Context, call *wsclient.Call) ([]byte, *wsclient.Failure) {
	return r.askUpTo(ctx, call, maxAttempts)
}

// askOnce sends a request when there is one left over.
func (r *reconciler) askOnce(ctx context.Context, call *wsclient.Call) ([]byte, *wsclient.Failure) {
	return r.askUpTo(ctx, call, 1)
}

func (r *reconciler) askUpTo(ctx context.Context, call *wsclient.Call, attempts int) ([]byte, *wsclient.Failure) {
	refused := false
	r.permission = call.Permission
	for attempt := 1; ; attempt++ {
		for !wsclient.HasSpare(r.client) || r.pace.Wait(time.Now()) > 0 {
			if !pause.For(ctx, max(r.pace.Wait(time.Now()), spareInterval)) {
				return nil, wsclient.NewFailure(wsclient.Shutdown, false, ctx.Err())
			}
		}
		access, failure := r.token(ctx)
		noToken := failure != nil
		var body []byte
		if failure == nil {
			r.pace.Sent(time.Now())
			call.Token = access.Token
			call.Answered = func(header http.Header) { r.pace.Answered(header, time.Now()) }
			body, failure = wsclient.Do(ctx, r.client, call)
		}
		r.countRequest(failure)
		switch {
		case failure == nil:
			r.pace.Succeeded()
			return body, nil
		case failure.Status == http.StatusUnauthorized && !refused && access.Token != "":
			refused = true
			r.tokens.Reject(access.Token)
		case noToken && attempt >= attempts: // the sockets report it, and this is no missing permission
			return nil, wsclient.NewFailure(failure.Cause, false, failure)
		case failure.Permanent && !noToken || ctx.Err() != nil:
			return nil, failure
		default:
			r.pace.Failed(failure.RetryAfter, time.Now())
			if attempt >= attempts {
				return nil, failure
			}
		}
	}
}

// token returns the token of requests; none where none is configured.
func (r *reconciler) token(ctx context.Context) (wsclient.Access, *wsclient.Failure) {
	if r.tokens == nil {
		return wsclient.Access{}, nil
	}
	return r.tokens.Get(ctx)
}

func (r *reconciler) countRequest(failure *wsclient.Failure) {
	result := "ok"
	if failure != nil {
		result = string(failure.Cause)
	}
	r.telemetry.requested(result)
}

// failed reports a failure of a function. One that an administrator has to resolve
// switches the function off.
func (r *reconciler) failed(ctx context.Context, function api.Function, failure *wsclient.Failure) (off bool) {
	if ctx.Err() != nil {
		return true
	}
	if errors.Is(failure, api.ErrTooMany) { // the gap is given up
		return false
	}
	if !failure.Permanent {
		r.logger.Warn("The platform cannot be asked; trying again later", zap.String("function", string(function)), zap.Error(failure))
		return false
	}
	permission := r.permission
	if !r.off[function] {
		r.logger.Error("The platform refuses a request; the function is off until a restart, everything else goes on",
			zap.String("function", string(function)), zap.String("missing_permission", permission), zap.Error(failure))
	}
	r.off[function] = true
	err := fmt.Errorf("initial_state: %s is off: %w", function, failure)
	if permission != "" && failure.Cause == wsclient.Unauthorized {
		err = fmt.Errorf("initial_state: %s is off: the role of the OAuth client lacks %s: %w", function, permission, failure)
	}
	r.status.set(r.target.number, historyTrouble, err)
	return true
}

// gaps are the gaps of a receiver. The connections add them, the reconciler heals them, and
// saving reads them.
type gaps struct {
	mutex sync.Mutex
	*reconcile.Gaps
	up      time.Time // of the first connection
	changed chan struct{}
}

// connected records a connection that is up.
func (g *gaps) connected(connection int, at time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Connected(connection, at)
	if g.up.IsZero() {
		g.up = at
	}
	g.signal()
}

// lost records a connection without a socket.
func (g *gaps) lost(connection int, since time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Lost(connection, since)
}

// restore records since when a restored state misses events.
func (g *gaps) restore(since time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Restore(since)
}

// add records a gap.
func (g *gaps) add(from, to time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Add(from, to)
	g.signal()
}

func (g *gaps) signal() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// take returns the gap that is to be healed, if there is one.
func (g *gaps) take(now time.Time) (gap reconcile.Range, open bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.Take(now)
}

// ended records the result of healing it.
func (g *gaps) ended(healed bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Ended(healed)
}

// retry makes those that could not be healed wait again. It returns what is given up.
func (g *gaps) retry(now time.Time) reconcile.Range {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.Retry(now)
}

// unhealed returns since when events may be missing.
func (g *gaps) unhealed(now time.Time) time.Time {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.Unhealed(now)
}

// first waits for the first connection.
func (g *gaps) first(ctx context.Context) (time.Time, bool) {
	for {
		g.mutex.Lock()
		up := g.up
		g.mutex.Unlock()
		if !up.IsZero() {
			return up, true
		}
		select {
		case <-ctx.Done():
			return up, false
		case <-g.changed:
		}
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

// emitHealed emits stream.healed for a gap.
func (c *connection) emitHealed(gap reconcile.Range, result *reconcile.Result, unknown []string) {
	now := time.Now()
	for _, one := range c.streams.current(now) {
		c.batcher.stream(wsevent.StreamHealed, one, now, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.GapStart, gap.From/int64(time.Millisecond))
			record.Attributes().PutInt(wsevent.GapEnd, gap.To/int64(time.Millisecond))
			record.Attributes().PutInt(wsevent.HealedOpened, int64(result.Opened+result.Present))
			record.Attributes().PutInt(wsevent.HealedClosed, int64(result.Closed))
			list := record.Attributes().PutEmptySlice(wsevent.HealedUnknown)
			for _, one := range unknown {
				list.AppendEmpty().SetStr(one)
			}
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
