// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"context"
	"time"
)

// Delivery reports how far the records that a receiver has read are delivered.
// Whoever counts events in the same process uses it as the wall clock of the
// receiver's streams: while downstream refuses a batch, records that are read but
// not delivered yet, and frames that wait in the socket's buffers, still belong to
// windows before now.
//
// A Delivery is safe for concurrent use.
type Delivery interface {
	// Source names the connection that the records come from, as "ccaas_ws/eu/0": the
	// component's ID and the connection's number. It is the same after a restart.
	Source() string
	// DeliveredTo returns the time up to which everything that arrived is
	// delivered: now, or, while a batch is being delivered, the arrival of its
	// first record.
	DeliveredTo(now time.Time) time.Time
}

type deliveryKey struct{}

// ContextWithDelivery returns the context of a call that delivers a batch of d's
// receiver.
func ContextWithDelivery(ctx context.Context, d Delivery) context.Context {
	return context.WithValue(ctx, deliveryKey{}, d)
}

// DeliveryFrom returns the Delivery of the receiver whose batch the call
// delivers; ok is false where the receiver runs in another process, or a component
// in between has replaced the context.
func DeliveryFrom(ctx context.Context) (d Delivery, ok bool) {
	d, ok = ctx.Value(deliveryKey{}).(Delivery)
	return d, ok
}
