"""GAN against WGAN: plan, train, measure, show."""
