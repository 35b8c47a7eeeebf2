// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
)

// NewFactory returns the factory of the ws_window processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		Size:               10 * time.Second,
		Overlap:            time.Second,
		AllowedLateness:    2 * time.Second,
		IdleTimeout:        2 * time.Second,
		MaxFuture:          5 * time.Minute,
		MaxSeries:          10_000,
		MaxChannels:        1_000_000,
		ChannelTTL:         4 * time.Hour,
		SeriesIdle:         5 * time.Minute,
		SeriesTTL:          7 * 24 * time.Hour,
		PassThrough:        true,
		CheckpointInterval: 10 * time.Second,
		Sessions: SessionsConfig{
			SampleRatio:        0.01,
			ExemplarsPerWindow: 5,
			RecorderEvents:     8,
			Segment:            time.Hour,
			ReconnectWithin:    5 * time.Minute,
			UserID:             userNone,
		},
	}
}

func createLogs(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	return newProcessor(set, cfg.(*Config), next)
}
