// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
)

// Notification is one message about a group of alerts.
type Notification struct {
	// ID is the same for each attempt to deliver the same message, after a kill as well. A
	// reminder of the same alerts is another message.
	ID string
	// Body is JSON, as Alertmanager's webhook receiver sends it (version 4).
	Body []byte
	// Alerts is the number of alerts in the body.
	Alerts int
}

// Notifier delivers notifications. Where retry is true a failed attempt is repeated. A message that
// the receiver refuses is ErrRefused.
type Notifier interface {
	Notify(ctx context.Context, notification *Notification) (retry bool, err error)
}

// webhookIntegration is the name of our notifiers in metrics and in the notification log.
const webhookIntegration = "signed_webhook"

// adapter is a Notifier in Alertmanager's pipeline.
type adapter struct {
	notifier Notifier
	receiver *nflogpb.Receiver
	log      *notificationLog
	template *template.Template
	logger   *slog.Logger
}

// Notify implements notify.Notifier.
func (a *adapter) Notify(ctx context.Context, some ...*alert.Alert) (bool, error) {
	key, err := notify.ExtractGroupKey(ctx)
	if err != nil {
		return false, err
	}
	body, err := json.Marshal(&webhook.Message{
		Version: "4", Data: notify.GetTemplateData(ctx, a.template, some, a.logger), GroupKey: key.String(),
	})
	if err != nil {
		return false, err
	}
	retry, err := a.notifier.Notify(ctx, &Notification{
		ID: identify(a.receiver, key.String(), a.log.notified(a.receiver, key.String()), some), Body: body, Alerts: len(some),
	})
	if errors.Is(err, ErrRefused) { // it counts as notified
		if refused, ok := ctx.Value(refusedKey{}).(*error); ok {
			*refused = err
		}
		return false, nil
	}
	return retry, err
}

// refusedKey is the key of a context in which the adapter reports to observed that the receiver refused.
type refusedKey struct{}

// SendResolved implements notify.ResolvedSender.
func (*adapter) SendResolved() bool { return true }

// identify hashes what makes a message: receiver, group, the notification before, and the
// state of each alert.
func identify(receiver *nflogpb.Receiver, group string, before time.Time, some []*alert.Alert) string {
	hash := sha256.New()
	part := func(text string) { hash.Write([]byte(strconv.Quote(text))) } // quoted, so that parts cannot run together
	part(receiver.GetGroupName())
	part(group)
	if !before.IsZero() {
		part(before.UTC().Format(time.RFC3339Nano))
	}
	for _, one := range some {
		part(one.Fingerprint().String())
		part(string(one.Annotations[promalert.AnnotationID]))
		part(string(one.Status()))
	}
	return "msg_" + hex.EncodeToString(hash.Sum(nil)[:16])
}

// observed reports the result of each attempt of an integration.
type observed struct {
	integration notify.Integration
	receiver    string
	engine      *Engine
}

// Notify implements notify.Notifier.
func (o *observed) Notify(ctx context.Context, some ...*alert.Alert) (bool, error) {
	var refused error
	retry, err := o.integration.Notify(context.WithValue(ctx, refusedKey{}, &refused), some...)
	if err == nil || ctx.Err() == nil { // an attempt that was interrupted says nothing of the receiver
		o.engine.options.OnNotify(o.receiver, o.integration.String(), retry, cmp.Or(err, refused))
		o.engine.notified(o.receiver, o.integration.String(), some, retry, cmp.Or(err, refused))
	}
	return retry, err
}

// SendResolved implements notify.ResolvedSender.
func (o *observed) SendResolved() bool { return o.integration.SendResolved() }

func (o *observed) wrapped() notify.Integration {
	return notify.NewIntegration(o, o, o.integration.Name(), o.integration.Index(), o.receiver)
}
