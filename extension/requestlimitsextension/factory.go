// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestlimitsextension

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/requestlimitsextension/internal/metadata"
)

// NewFactory creates the factory of the request_limits extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, createExtension, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config {
	return &Config{
		MaxBodyBytes:          10 << 20,
		MaxInflightBytes:      128 << 20,
		MaxMessages:           500_000,
		MaxDepth:              64,
		MaxAttributes:         128,
		MaxConcurrentRequests: 8,
		MaxWaitingRequests:    64,
		ReadTimeout:           30 * time.Second,
	}
}

func createExtension(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newLimits(set, cfg.(*Config))
}
