// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
)

const (
	// saveInterval is the time between two saves of the state.
	saveInterval = 10 * time.Second
	// saveTimeout bounds one.
	saveTimeout = 10 * time.Second

	channelsKey      = "channels"
	conversationsKey = "conversations"
)

// saving keeps the open channels, and the conversations of the API, in a storage.
type saving struct {
	store *state.Store
	of    *reconciler
	api   api.State // nil: the API has none
}

// openSaving restores the state of a storage. A storage that cannot be opened is logged:
// a restart forgets.
func (r *wsReceiver) openSaving(ctx context.Context, host component.Host, of *reconciler, apiState api.State) error {
	if of == nil || r.config.Storage == nil {
		return nil
	}
	client, err := state.Open(ctx, host, *r.config.Storage, component.KindReceiver, r.set.ID, "")
	if errors.Is(err, state.ErrUnavailable) {
		r.set.Logger.Error("The state of channels is not kept over a restart", zap.Error(err))
		return nil
	}
	if err != nil {
		return err
	}
	report := func(event *componentstatus.Event) { of.status.set(0, storageTrouble, event.Err()) }
	s := &saving{store: state.NewStore(client, r.config.Storage.String(), r.set.Logger, report), of: of, api: apiState}
	var savedAt, unhealed time.Time
	_, err = s.store.Load(ctx, channelsKey, func(value []byte) (err error) {
		savedAt, unhealed, err = of.channels.Restore(value)
		return err
	})
	if err == nil && apiState != nil && !savedAt.IsZero() {
		_, err = s.store.Load(ctx, conversationsKey, apiState.Restore)
	}
	if err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	if !savedAt.IsZero() {
		of.gaps.restore(unhealed)
		r.set.Logger.Info("State restored; what happened since is asked for",
			zap.Time("saved_at", savedAt), zap.Time("since", unhealed), zap.Int("open_channels", of.channels.Open()))
	}
	of.saving = s
	return nil
}

// prepareReconciler completes the reconciler, and restores its state.
func (r *wsReceiver) prepareReconciler(ctx context.Context, host component.Host, up *upstream, connections []*connection, reporter *status) error {
	of := r.reconciler
	if of == nil {
		return nil
	}
	if up.History == nil {
		return errors.New("initial_state::enabled: true: the API has no request for open channels")
	}
	of.history, of.tokens, of.client = up.History, up.Tokens, r.client
	of.telemetry, of.logger, of.status = newReconcilerTelemetry(r.telemetry), r.set.Logger, reporter //nolint:contextcheck // own telemetry
	of.target, of.all = connections[0], connections
	return r.openSaving(ctx, host, of, up.State)
}

// runReconciler starts the reconciler.
func (r *wsReceiver) runReconciler(ctx context.Context) {
	if r.reconciler == nil {
		return
	}
	r.reconciling.Go(func() { r.reconciler.run(ctx) })
	if saving := r.reconciler.saving; saving != nil {
		r.running.Go(func() { saving.run(ctx) })
	}
}

// awaitReconciler waits for the end of the reconciler before the batcher that it writes to
// is closed.
func (r *wsReceiver) awaitReconciler(connection int) {
	if connection == 0 {
		r.reconciling.Wait()
	}
}

// closeReconciler saves the state for the last time.
func (r *wsReceiver) closeReconciler(ctx context.Context) error {
	if r.reconciler == nil {
		return nil
	}
	return r.reconciler.saving.close(ctx)
}

// run saves at an interval until ctx ends.
func (s *saving) run(ctx context.Context) {
	for pause.For(ctx, saveInterval) {
		s.save(ctx)
	}
}

// save saves the state: what is emitted from now on is not in it, and since when events may
// be missing is.
func (s *saving) save(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	now := time.Now()
	unhealed := s.of.gaps.unhealed(now) // before the channels: what is healed by now is in them
	s.of.mutex.Lock()
	value, err := s.of.channels.Encode(now, unhealed)
	var conversations []byte
	if err == nil && s.api != nil {
		conversations, err = s.api.Encode(now)
	}
	s.of.mutex.Unlock()
	if err == nil {
		err = s.store.Set(ctx, channelsKey, value)
	}
	if err == nil && conversations != nil {
		err = s.store.Set(ctx, conversationsKey, conversations)
	}
	s.store.Saved(err)
}

// close saves the state for the last time.
func (s *saving) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.save(ctx)
	return s.store.Close(context.WithoutCancel(ctx))
}
