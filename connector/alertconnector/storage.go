// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
)

// open gets the storage and goes on where the state on it ends.
func (e *evaluator) open(ctx context.Context, host component.Host, now time.Time) error {
	extension, ok := host.GetExtensions()[*e.config.Storage]
	if !ok {
		return fmt.Errorf("storage: %s: there is no such extension; name one of service::extensions", e.config.Storage)
	}
	provider, ok := extension.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: %s: is no storage extension, as file_storage is", e.config.Storage)
	}
	client, err := provider.GetClient(ctx, component.KindConnector, e.id, "")
	if err != nil {
		// To watch is worth more than to remember, so this stops nothing; but it shows in health.
		e.logger.Error("The storage cannot be opened. Baselines are learned from nothing, and nothing is saved. "+
			"Is another collector using it? If its file is damaged, move the file of this connector out of the storage's directory and restart",
			zap.Error(err))
		e.report(componentstatus.NewRecoverableErrorEvent(fmt.Errorf("storage: %s: %w", e.config.Storage, err)))
		return nil
	}
	e.keeper = &keeper{client: client}
	return e.restore(ctx, now)
}

func (e *evaluator) report(event *componentstatus.Event) {
	for _, host := range e.hosts {
		componentstatus.ReportStatus(host, event)
	}
}

// restore reads the state. What is damaged is set aside and told; the rest is used.
func (e *evaluator) restore(ctx context.Context, now time.Time) error {
	found, err := e.engine.Restore(func(keys ...string) ([][]byte, error) { return e.keeper.get(ctx, keys...) })
	if err == nil {
		err = e.restoreAlerts(ctx, &found)
	}
	if err != nil {
		return fmt.Errorf("storage: %s: cannot be read: %w", e.config.Storage, err)
	}
	for i := range found.Damage {
		e.setAside(ctx, &found.Damage[i])
	}
	e.engine.Resume(now.UnixMilli())
	if found.Series > 0 || found.Dropped > 0 {
		e.logger.Info("Went on from the saved state", zap.Int("series", found.Series), zap.Int("pending_alerts", e.alerts.count()),
			zap.Int("series_without_a_rule", found.Dropped))
	}
	if found.Dropped > 0 || len(found.Outcome.Alerts) > 0 {
		e.save(ctx, e.write(ctx, found.Outcome.Alerts, now))
	}
	return nil
}

// setAside tells of a damaged piece, and keeps it where nothing overwrites it, for
// whoever wants to find out what happened to it.
func (e *evaluator) setAside(ctx context.Context, damage *engine.Damage) {
	key := damagedKey(damage.Key)
	e.logger.Error("Some of the saved state is damaged. It was set aside and the rest is used; a baseline that it held is learned anew",
		zap.String("key", damage.Key), zap.String("kept_as", key), zap.Error(damage.Err))
	if err := e.keeper.client.Set(ctx, key, damage.Piece); err != nil {
		e.logger.Error("The damaged state cannot be kept", zap.String("kept_as", key), zap.Error(err))
	}
}

// restoreAlerts finds the alerts that downstream may not have taken.
func (e *evaluator) restoreAlerts(ctx context.Context, found *engine.Restored) error {
	pieces, err := e.keeper.get(ctx, pendingKey)
	if err != nil || pieces[0] == nil {
		return err
	}
	var p pending
	content, err := engine.Unseal(pieces[0])
	if err == nil {
		err = json.Unmarshal(content, &p)
	}
	if err == nil && (p.First < 0 || p.Next < p.First || p.Next-p.First > 2*maxPending) { // of removed rules some more can come
		err = fmt.Errorf("says that alerts %d to %d wait", p.First, p.Next)
	}
	if err != nil {
		found.Damage = append(found.Damage, engine.Damage{Key: pendingKey, Piece: pieces[0], Err: err})
		return nil
	}
	e.keeper.pending = p
	for number := p.First; number < p.Next; number++ {
		pieces, err := e.keeper.get(ctx, alertsKey(number))
		if err != nil {
			return err
		}
		if pieces[0] == nil {
			continue
		}
		var logs plog.Logs
		if content, err = engine.Unseal(pieces[0]); err == nil {
			logs, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(content)
		}
		if err != nil {
			found.Damage = append(found.Damage, engine.Damage{Key: alertsKey(number), Piece: pieces[0], Err: err})
			continue
		}
		if e.alerts.next != nil {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: number, logs: logs})
		}
	}
	return nil
}

// save writes alerts and what has changed in one go, in an order that leaves
// something whole wherever it is cut off: an alert is on the storage before the state
// that says it was told. A storage that fails stops nothing; what it has missed goes
// with the next.
func (e *evaluator) save(ctx context.Context, logs plog.Logs) {
	hasAlerts := logs.LogRecordCount() > 0 && e.alerts.next != nil
	if e.keeper == nil {
		if hasAlerts {
			e.alerts.waiting = append(e.alerts.waiting, alertBatch{logs: logs})
		}
		e.engine.Saved() // there is nothing to keep for later
		return
	}
	k := e.keeper
	var operations []*storage.Operation
	var err error
	if hasAlerts {
		e.alerts.waiting = append(e.alerts.waiting, alertBatch{number: k.pending.Next, logs: logs})
		k.pending.Next++
	}
	if hasAlerts || k.failed {
		operations, err = e.saveAlerts(hasAlerts)
	}
	for _, change := range e.engine.Changes() {
		if change.Value == nil {
			operations = append(operations, storage.DeleteOperation(change.Key))
		} else {
			operations = append(operations, storage.SetOperation(change.Key, change.Value))
		}
	}
	if err == nil && len(operations) > 0 {
		err = k.client.Batch(ctx, operations...)
	}
	if err == nil {
		e.engine.Saved()
		if hasAlerts || k.failed {
			k.taken = nil
		}
	}
	e.noteSaved(ctx, err)
}

// saveAlerts are the operations for the latest alerts, or for all that wait when
// some of them could not be written.
func (e *evaluator) saveAlerts(latest bool) ([]*storage.Operation, error) {
	batches := e.alerts.waiting
	if latest && !e.keeper.failed {
		batches = batches[len(batches)-1:]
	}
	var operations []*storage.Operation
	for _, batch := range batches {
		content, err := (&plog.ProtoMarshaler{}).MarshalLogs(batch.logs)
		if err != nil {
			return nil, err
		}
		operations = append(operations, storage.SetOperation(alertsKey(batch.number), engine.Seal(content)))
	}
	return append(operations, e.keeper.forget()...), nil
}

// taken notes that downstream has taken a batch of alerts. Where that fails, a
// restart tells them again, under the same ids.
func (e *evaluator) taken(ctx context.Context, number int64) {
	if e.keeper == nil {
		return
	}
	e.keeper.pending.First = number + 1
	e.keeper.taken = append(e.keeper.taken, number)
	if e.keeper.failed {
		return // the next save notes it
	}
	if err := e.keeper.client.Batch(ctx, e.keeper.forget()...); err != nil {
		e.noteSaved(ctx, err)
		return
	}
	e.keeper.taken = nil
}

// noteSaved logs, and shows in health, the begin and the end of a time in which
// the storage fails.
func (e *evaluator) noteSaved(ctx context.Context, err error) {
	if err != nil {
		e.telemetry.AlertSaveFailures.Add(ctx, 1)
	}
	switch {
	case err != nil && !e.keeper.failed:
		err = fmt.Errorf("storage: %s: %w", e.config.Storage, err)
		e.logger.Error("The state cannot be saved; rules are applied all the same, but a restart will go back to what was saved last. "+
			"Is the disk of the storage full?", zap.Error(err))
		e.report(componentstatus.NewRecoverableErrorEvent(err))
	case err == nil && e.keeper.failed:
		e.logger.Info("The state is saved again")
		e.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
	e.keeper.failed = err != nil
}
