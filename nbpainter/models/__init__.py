"""The networks: generators, discriminator, GAN, and their weights."""
