// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
)

// Queued alerts are on the storage under a number each, from first to next, beside the
// engine's state (internal/engine/save.go).
const pendingKey = "pending"

func alertsKey(number int64) string { return fmt.Sprintf("alerts/%d", number) }

// pending is the range of queued alerts on the storage.
type pending struct {
	First int64 `json:"first"`
	Next  int64 `json:"next"`
}

func (p pending) encode() []byte {
	text, _ := json.Marshal(p) // two numbers
	return engine.Encode(text)
}

// checkpointStore holds the queued alerts and the state of the engine.
type checkpointStore struct {
	*state.Store
	pending pending
	taken   []int64 // alerts that downstream has accepted and that are not deleted yet
}

// forget returns the operations that delete alerts which downstream has accepted.
func (k *checkpointStore) forget() []*storage.Operation {
	operations := []*storage.Operation{storage.SetOperation(pendingKey, k.pending.encode())}
	for _, number := range k.taken {
		operations = append(operations, storage.DeleteOperation(alertsKey(number)))
	}
	return operations
}

// get reads keys in one transaction.
func (k *checkpointStore) get(ctx context.Context, keys ...string) ([][]byte, error) {
	operations := make([]*storage.Operation, len(keys))
	for i, key := range keys {
		operations[i] = storage.GetOperation(key)
	}
	if err := k.Batch(ctx, operations...); err != nil {
		return nil, err
	}
	pieces := make([][]byte, len(keys))
	for i, operation := range operations {
		pieces[i] = operation.Value
	}
	return pieces, nil
}
